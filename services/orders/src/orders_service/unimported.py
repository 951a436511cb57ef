"""Orders that were seen and not taken: kept with the reason, read again when their turn comes, then forgotten."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon.client import Seller
from common.attempts import Patience
from common.bulk import insert_page, run
from common.crypto import KeyRing
from common.item_by_item import alarm
from orders_service import personal_data
from orders_service.models import UnimportedOrder
from orders_service.order_state import OrderState

# Those that are due longest first: as each that fails waits longer and longer, old ones leave turns to new ones.
READ_AGAIN_PER_RUN = 20
# Most oddities are of a moment; the others are tried for two days, then parked.
PATIENCE = Patience.growing(timedelta(minutes=5), timedelta(hours=6), 13, at_once=True)
MALFORMED = "malformed"

_COLUMNS = (
    *("connection_id", "reference", "account_id", "amazon_order_id", "code", "detail", "marketplace_id"),
    *("sealed_body", "failures", "next_attempt_at", "parked_at", "seen_at"),
)


class Refused(NamedTuple):
    """An order that cannot be taken. Its id is None when even that could not be read; `body` is what Amazon sent, if
    anything, and holds a buyer's data."""

    amazon_order_id: str | None
    code: str
    detail: str
    body: bytes | None

    @property
    def reference(self) -> str:
        return self.amazon_order_id or f"sha256:{hashlib.sha256(self.body or b'').hexdigest()}"


async def skip(session: AsyncSession, seller: Seller, skipped: Sequence[tuple[OrderState, tuple[str, str]]]) -> None:
    """Keeps why orders are not wanted; one that was skipped for the same reason before is not written again."""
    now = clock.now()
    await insert_page(
        session,
        UnimportedOrder,
        _COLUMNS,
        [
            (
                *(seller.connection_id, state.amazon_order_id, seller.account_id, state.amazon_order_id, code, detail),
                *(state.marketplace_id, None, 0, None, None, now),
            )
            for state, (code, detail) in skipped
        ],
        "on conflict (connection_id, reference) do update set code = excluded.code, detail = excluded.detail, "
        "marketplace_id = excluded.marketplace_id, sealed_body = null, failures = 0, next_attempt_at = null, "
        "parked_at = null "
        "where unimported_order.code <> excluded.code or unimported_order.detail <> excluded.detail "
        "or unimported_order.failures > 0 or unimported_order.next_attempt_at is not null",
    )


async def set_aside(
    session: AsyncSession, ring: KeyRing, seller: Seller, refused: Sequence[Refused], *, own_turn: bool
) -> None:
    """Keeps what could not be taken, its body sealed, until its next attempt; parks it after the last one.

    In its `own_turn` it was asked for by its id, which is an attempt. Being shown in a window again is none, or a busy
    window would use up its attempts. One without an id cannot be asked for and is parked at once.
    """
    by_reference = {one.reference: one for one in refused}
    before = await _failures_before(session, seller, by_reference)
    now = clock.now()
    rows, parked = [], []
    for reference, one in sorted(by_reference.items()):
        failures, next_attempt_at, parked_at = before.get(reference, (0, None, None))
        if own_turn or not failures:
            failures += 1
            next_attempt_at = PATIENCE.next_attempt(failures, now) if one.amazon_order_id else None
            if next_attempt_at is None and parked_at is None:
                parked_at = now
                parked.append(one)
        sealed = personal_data.seal_body(ring, seller.account_id, reference, one.body) if one.body else None
        rows.append(
            (
                *(seller.connection_id, reference, seller.account_id, one.amazon_order_id, one.code, one.detail, None),
                *(sealed, failures, next_attempt_at, parked_at, now),
            )
        )
    await insert_page(
        session,
        UnimportedOrder,
        _COLUMNS,
        rows,
        "on conflict (connection_id, reference) do update set code = excluded.code, detail = excluded.detail, "
        "sealed_body = coalesce(excluded.sealed_body, unimported_order.sealed_body), failures = excluded.failures, "
        "next_attempt_at = excluded.next_attempt_at, parked_at = excluded.parked_at, seen_at = excluded.seen_at",
    )
    for one in parked:
        alarm("order", one.code, connection_id=seller.connection_id, reference=one.reference)


async def _failures_before(
    session: AsyncSession, seller: Seller, references: Iterable[str]
) -> dict[str, tuple[int, datetime | None, datetime | None]]:
    rows = await run(
        session,
        "select reference, failures, next_attempt_at, parked_at from unimported_order "
        "where connection_id = $1 and reference = any($2) order by reference for update",
        seller.connection_id,
        list(references),
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def is_kept(session: AsyncSession, seller: Seller, amazon_order_id: str) -> bool:
    """Whether the order is among those that were not taken."""
    return await session.get(UnimportedOrder, (seller.connection_id, amazon_order_id)) is not None


async def forget(session: AsyncSession, seller: Seller, imported: Collection[str]) -> None:
    """They are orders now."""
    await run(
        session,
        "delete from unimported_order where connection_id = $1 and reference = any($2)",
        seller.connection_id,
        sorted(imported),
    )


async def due(session: AsyncSession, connection_id: UUID, at: datetime) -> Sequence[str]:
    """The ids whose turn it is to be read again, those that are due longest first."""
    query = (
        select(UnimportedOrder.reference)
        .where(UnimportedOrder.connection_id == connection_id, col(UnimportedOrder.next_attempt_at) <= at)
        .order_by(col(UnimportedOrder.next_attempt_at), col(UnimportedOrder.reference))
        .limit(READ_AGAIN_PER_RUN)
    )
    return (await session.exec(query)).all()


async def retry_skipped(session: AsyncSession, channel_ids: Iterable[UUID], codes: Iterable[str]) -> None:
    """Has the next runs read skipped orders again: a setting that kept them out has changed."""
    await run(
        session,
        "update unimported_order u set next_attempt_at = $3 from channel c where c.id = any($1) "
        "and u.connection_id = c.connection_id and u.marketplace_id = c.marketplace_id and u.code = any($2)",
        list(channel_ids),
        list(codes),
        clock.now(),
    )
