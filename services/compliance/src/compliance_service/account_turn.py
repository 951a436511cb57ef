"""Whose turn it is: everything that changes an account's stock, toggles or routes does so one after another.

That one lock is what keeps two batches from promising the same unit, and a restock or a toggle from slipping past an
order that is being held at this very moment. Accounts never wait for each other."""

from collections.abc import Iterable
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run


async def take_turn(session: AsyncSession, account_ids: Iterable[UUID]) -> None:
    """Waits for the accounts' turn; it ends with the transaction. Call it once, before other locks are taken."""
    # Everybody locks in the same order, so nobody waits in a circle.
    keys = sorted({_key(account_id) for account_id in account_ids})
    await run(session, "select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as key", keys)


async def take_free_turns(session: AsyncSession, account_ids: Iterable[UUID]) -> set[UUID]:
    """Takes the turn of those accounts that nobody has, without waiting; answers which."""
    ids = list(account_ids)
    sql = "select id from unnest($1::uuid[], $2::bigint[]) as t(id, key) where pg_try_advisory_xact_lock(key)"
    return {row[0] for row in await run(session, sql, ids, [_key(one) for one in ids])}


def _key(account_id: UUID) -> int:
    return int.from_bytes(account_id.bytes[:8], signed=True)
