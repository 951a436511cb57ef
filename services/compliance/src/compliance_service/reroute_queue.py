"""Whatever could free a held order asks here for its account's held orders to be decided again (MISSION D5)."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common import jobs
from common.bulk import run

OPERATION = "reroute"


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
        "and started_at is null limit 1 for share",
        account_id,
        OPERATION,
    )
    if not queued:
        # The account is the lane: its runs follow one another, other accounts' run beside them.
        new = await jobs.start(
            session, account_id=account_id, connection_id=account_id, operation=OPERATION, requested_by=requested_by
        )
        new.due_at += timedelta(seconds=delay_seconds)
