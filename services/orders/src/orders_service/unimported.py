"""Orders that were seen and not taken: kept with the reason, read again when that may have changed, then forgotten."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon.client import Seller
from common.bulk import insert_page, run
from common.crypto import KeyRing
from orders_service import personal_data
from orders_service.models import UnimportedOrder
from orders_service.order_state import OrderState

RETRIED_PER_RUN = 20

_COLUMNS = (
    *("connection_id", "reference", "account_id", "amazon_order_id", "code", "detail", "marketplace_id"),
    *("sealed_body", "retry", "seen_at"),
)

# Amazon order id (None when even that could not be read), reason, and the whole body.
Refused = tuple[str | None, str, bytes]


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
                *(state.marketplace_id, None, False, now),
            )
            for state, (code, detail) in skipped
        ],
        "on conflict (connection_id, reference) do update set code = excluded.code, detail = excluded.detail, "
        "marketplace_id = excluded.marketplace_id, sealed_body = null, retry = false "
        "where unimported_order.code <> excluded.code or unimported_order.detail <> excluded.detail "
        "or unimported_order.retry",
    )


async def set_aside(
    session: AsyncSession, ring: KeyRing, seller: Seller, refused: Sequence[Refused]
) -> list[tuple[str, str]]:
    """Keeps what could not be read, its body sealed; one with an id is read again by the next run.

    Answers reference and reason of each.
    """
    now = clock.now()
    rows = {}
    for amazon_order_id, reason, body in refused:
        reference = amazon_order_id or f"sha256:{hashlib.sha256(body).hexdigest()}"
        sealed = personal_data.seal_body(ring, seller.account_id, reference, body)
        rows[reference] = (
            *(seller.connection_id, reference, seller.account_id, amazon_order_id, "malformed", reason, None, sealed),
            *(amazon_order_id is not None, now),
        )
    await insert_page(
        session,
        UnimportedOrder,
        _COLUMNS,
        [rows[reference] for reference in sorted(rows)],
        "on conflict (connection_id, reference) do update set code = excluded.code, detail = excluded.detail, "
        "sealed_body = excluded.sealed_body, retry = excluded.retry, seen_at = excluded.seen_at",
    )
    return [(reference, row[5]) for reference, row in rows.items()]


async def forget(session: AsyncSession, seller: Seller, imported: Collection[str]) -> None:
    """They are orders now."""
    await run(
        session,
        "delete from unimported_order where connection_id = $1 and reference = any($2)",
        seller.connection_id,
        sorted(imported),
    )


async def to_retry(session: AsyncSession, connection_id: UUID) -> Sequence[str]:
    """The ids to read again, those that waited longest first."""
    query = (
        select(UnimportedOrder.reference)
        .where(UnimportedOrder.connection_id == connection_id, col(UnimportedOrder.retry))
        .order_by(col(UnimportedOrder.seen_at))
        .limit(RETRIED_PER_RUN)
    )
    return (await session.exec(query)).all()


async def retry_skipped(session: AsyncSession, channel_ids: Iterable[UUID], codes: Iterable[str]) -> None:
    """Has the next runs read skipped orders again: a setting that kept them out has changed."""
    await run(
        session,
        "update unimported_order u set retry = true from channel c where c.id = any($1) "
        "and u.connection_id = c.connection_id and u.marketplace_id = c.marketplace_id and u.code = any($2)",
        list(channel_ids),
        list(codes),
    )
