"""Looks at what Amazon shows of the listings with an open write, 20 SKUs per call, and closes what it shows."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, outbox
from common.amazon.client import AmazonClient, Seller
from common.amazon.errors import AmazonNotFound, InvalidInput
from common.amazon.listings import SKUS_PER_SEARCH
from common.amazon.run_outcomes import outcomes
from common.contracts.event import Event, Money
from common.contracts.listings import ListingSynced
from common.db import Database
from common.jobs import Work
from listings_service import seen
from listings_service.checks import in_minor_units
from listings_service.models import Channel, Variant
from listings_service.planner import is_dirty
from listings_service.seen import Seen
from listings_service.settling import is_refused, link_broken, look, lose

log = structlog.get_logger()

alarms = Counter("entrepot_listings_not_visible", "Writes that Amazon accepted and did not show in time")

# Searches under way together; their results are one transaction.
_TOGETHER = 4

_Open = tuple[UUID, str, str]  # variant, marketplace, SKU


@dataclass(slots=True)
class _Looked:
    """What Amazon showed, by variant, and the variants that it answered 404 for."""

    shown: dict[UUID, Seen] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)


async def look_back(db: Database, amazon: AmazonClient, seller: Seller, work: Work, delays: Sequence[float]) -> bool:
    """Looks at one page of what is due; answers whether anything was."""
    async with db.transaction() as session:
        due = await _due(session, work)
    if not due:
        return False
    with outcomes():
        looked = await _look(amazon, seller, due)
    async with db.transaction() as session:
        await work.hold(session)
        await _record(session, work, [variant_id for variant_id, _, _ in due], looked, delays)
        await work.hold(session)
    return True


async def _due(session: AsyncSession, work: Work) -> Sequence[_Open]:
    query = (
        select(Variant.id, Channel.marketplace_id, Variant.sku)
        .join(Channel, col(Channel.id) == col(Variant.channel_id))
        .where(
            col(Variant.connection_id) == work.connection_id,
            col(Variant.write_state).is_not(None),
            col(Variant.read_back_at) <= clock.now(),
        )
        .order_by(col(Variant.read_back_at))
        .limit(_TOGETHER * SKUS_PER_SEARCH)
    )
    if work.channel_id is not None:
        query = query.where(col(Variant.channel_id) == work.channel_id)
    return (await session.exec(query)).all()


async def _look(amazon: AmazonClient, seller: Seller, due: Sequence[_Open]) -> _Looked:
    by_marketplace: dict[str, list[_Open]] = defaultdict(list)
    for one in due:
        by_marketplace[one[1]].append(one)
    looked = _Looked()

    async def search(marketplace_id: str, part: Sequence[_Open]) -> None:
        found = await seen.search(amazon, seller, marketplace_id, [sku for _, _, sku in part])
        for variant_id, _, sku in part:
            if sku in found:
                looked.shown[variant_id] = found[sku]
                continue
            try:
                looked.shown[variant_id] = await seen.get(amazon, seller, marketplace_id, sku)
            except AmazonNotFound:
                looked.gone.add(variant_id)
            except InvalidInput:
                continue  # neither shown nor gone: looked at again later

    await asyncio.gather(
        *(
            search(marketplace_id, of_marketplace[start : start + SKUS_PER_SEARCH])
            for marketplace_id, of_marketplace in by_marketplace.items()
            for start in range(0, len(of_marketplace), SKUS_PER_SEARCH)
        )
    )
    return looked


async def _record(
    session: AsyncSession, work: Work, variant_ids: Sequence[UUID], looked: _Looked, delays: Sequence[float]
) -> None:
    now = clock.now()
    query = select(Variant).where(col(Variant.id).in_(variant_ids)).order_by(col(Variant.id)).with_for_update()
    events: list[Event] = []
    for variant in (await session.exec(query)).all():
        if variant.write_state is None:
            continue  # unlinked, or its last open part was overtaken by a sale
        if variant.id in looked.gone:
            lose(variant, now)
            work.count("broken_link")
            events.append(link_broken(variant))
        elif (shown := looked.shown.get(variant.id)) is not None:
            events += _judge(variant, shown, work, delays)
        else:
            variant.read_back_at = now + timedelta(seconds=delays[-1])
    await session.flush()
    await outbox.publish(session, *events)


def _judge(variant: Variant, shown: Seen, work: Work, delays: Sequence[float]) -> list[Event]:
    verdict = look(variant, shown, delays, clock.now())
    work.count({"closed": "synced", "waiting": "not_visible_yet", "again": "to_send_again", "alarm": "alarms"}[verdict])
    work.moved |= verdict == "closed"
    if verdict == "alarm":
        alarms.inc()
        log.error("listing_write_not_visible", variant_id=str(variant.id), connection_id=str(variant.connection_id))
    # A newer change meanwhile leaves the listing dirty, and the announcement to the look that closes that one.
    if verdict != "closed" or is_dirty(variant) or is_refused(variant):
        return []
    price = None
    if variant.amazon_price is not None and variant.amazon_currency is not None:
        amount = in_minor_units(variant.amazon_price, variant.amazon_currency)
        price = Money(amount=amount, currency=variant.amazon_currency)
    return [
        ListingSynced(
            account_id=variant.account_id,
            channel_id=variant.channel_id,
            sku=variant.sku,
            quantity=variant.amazon_quantity,
            price=price,
        )
    ]
