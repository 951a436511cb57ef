"""Held orders are decided again when something could free them: a toggle, a restock, a rule (MISSION D5).

One operation run per account does it, page by page. A page that is cut off is done again from the cursor; deciding an
order twice with the same result writes nothing, so that costs nothing but time."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common import jobs
from common.bulk import run
from common.db import Database
from common.jobs import Work
from compliance_service.account_turn import take_turn
from compliance_service.deciding import settle
from compliance_service.order_rows import load_held

OPERATION = "reroute"
PAGE = 200


async def request_reroute(
    session: AsyncSession,
    account_id: UUID,
    *,
    requested_by: str,
    skus: Collection[str] | None = None,
    delay_seconds: float = 0.0,
) -> None:
    """Queues a run for the account when an order is held (that wants one of `skus`, when given).

    The account has its turn, so no order is being held unseen. A queued run that will see this transaction's changes
    anyway is enough.
    """
    held = await run(
        session,
        "select 1 from routed_order where account_id = $1 and state = 'held' "
        "and ($2::text[] is null or skus ?| $2) limit 1",
        account_id,
        None if skus is None else list(skus),
    )
    if not held:
        return
    # Locked, the queued run cannot be claimed before we commit; one that is being claimed now is not found here.
    # A run that was started before stands somewhere in the middle and would not come back for earlier orders.
    queued = await run(
        session,
        "select id from operation_run where connection_id = $1 and operation = $2 and status = 'queued' "
        "and attempts = 0 limit 1 for share",
        account_id,
        OPERATION,
    )
    if not queued:
        # The account is the lane: its runs follow one another, other accounts' run beside them.
        new = await jobs.start(
            session, account_id=account_id, connection_id=account_id, operation=OPERATION, requested_by=requested_by
        )
        new.due_at += timedelta(seconds=delay_seconds)


async def reroute(db: Database, work: Work) -> None:
    """Decides every held order of the account again, oldest purchase first.

    Counts: `decided` orders looked at, `routed` and `still_held`. Each page takes the account's turn for itself, so new
    orders are routed in between.
    """
    while True:
        async with db.transaction() as session:
            await work.hold(session)
            await take_turn(session, [work.account_id])
            after = work.cursor.get("after")
            orders = await load_held(
                session,
                work.account_id,
                after=(datetime.fromisoformat(after[0]), UUID(after[1])) if after else None,
                limit=PAGE,
            )
            tally = await settle(session, orders, cause="reroute")
        if not orders:
            return
        last = orders[-1]
        work.cursor = {"after": [last.purchased_at.isoformat(), str(last.id)]}
        work.count("decided", len(orders))
        work.count("routed", tally.routed)
        work.count("still_held", tally.held)
