"""Held orders are decided again when something could free them: a toggle, a restock, freed stock, a rule (MISSION D5).

One operation run per account does it, page by page. A page that is cut off is done again from the cursor; deciding an
order twice with the same result writes nothing, so that costs nothing but time."""

from datetime import datetime
from uuid import UUID

from common import clock
from common.bulk import run
from common.db import Database
from common.jobs import RunLater, Work
from compliance_service.account_turn import take_turn
from compliance_service.deciding import settle
from compliance_service.order_rows import load_held
from compliance_service.reroute_queue import OPERATION

# New orders of the account wait for a page to end, other accounts for a share.
PAGE = 1000
SHARE = 2


async def reroute(db: Database, work: Work, *, page: int = PAGE, share: int = SHARE) -> None:
    """Decides every held order of the account again, oldest purchase first.

    Counts: `decided` orders looked at, `routed` and `still_held`. Each page takes the account's turn for itself, so new
    orders are routed in between; after a share of pages, accounts that wait for a worker come first.
    """
    pages = 0
    while True:
        async with db.transaction() as session:
            await work.hold(session)
            await take_turn(session, [work.account_id])
            after = work.cursor.get("after")
            orders = await load_held(
                session,
                work.account_id,
                after=(datetime.fromisoformat(after[0]), UUID(after[1])) if after else None,
                limit=page,
            )
            tally = await settle(session, orders, cause="reroute")
        if orders:
            last = orders[-1]
            work.cursor = {"after": [last.purchased_at.isoformat(), str(last.id)]}
            work.count("decided", len(orders))
            work.count("routed", tally.routed)
            work.count("still_held", tally.held)
        if len(orders) < page:
            return
        pages += 1
        if pages % share == 0 and await _others_wait(db, work):
            raise RunLater(0)


async def _others_wait(db: Database, work: Work) -> bool:
    """Whether a run of another account is due and nobody works on it."""
    async with db.transaction() as session:
        return bool(
            await run(
                session,
                "select 1 from operation_run where operation = $1 and status = 'queued' and due_at <= $2 "
                "and account_id <> $3 limit 1",
                OPERATION,
                clock.now(),
                work.account_id,
            )
        )
