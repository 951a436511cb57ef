"""One batch of a sync: what the planner chose is written down as intents, sent, and the answers are recorded."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, outbox
from common.amazon.client import AmazonClient, Fence, Seller
from common.amazon.errors import AmazonError, AmazonNotFound, InvalidInput
from common.amazon.run_outcomes import outcome as outcome_of
from common.contracts.event import Event
from common.contracts.listings import ListingRejected
from common.db import Database
from common.jobs import Work
from listings_service import seen
from listings_service.models import DIRTY, Channel, Variant
from listings_service.planner import LANE_ORDER, SENDABLE, plan
from listings_service.sending import Intent, Outcome, send
from listings_service.settling import intend, link_broken, lose, record, settle

# Candidates looked at, of which so many are sent before the plan is made anew: a fresh stop-sell waits for one batch.
_CANDIDATES = 100
_BATCH = 16
_IN_FLIGHT = 8


async def push(db: Database, amazon: AmazonClient, seller: Seller, work: Work, delays: Sequence[float]) -> bool:
    """Plans, sends and records one batch; answers whether there was anything to do."""
    async with db.transaction() as session:
        await work.hold(session)
        planned, intents = await _intend(session, work)
    if not intents:
        return planned > 0
    outcomes = await _send(amazon, seller, intents, work.still_holds)
    async with db.transaction() as session:
        await work.hold(session)
        await _record(session, work, intents, outcomes, delays)
        await work.hold(session)
    for outcome in outcomes.values():
        if outcome.stop is not None:
            raise outcome_of(outcome.stop) from outcome.stop
    return True


async def _intend(session: AsyncSession, work: Work) -> tuple[int, list[Intent]]:
    """Settles what needs no push and writes down what is about to be sent; listings being changed now come later."""
    now = clock.now()
    query = (
        select(Variant, Channel.marketplace_id)
        .join(Channel, col(Channel.id) == col(Variant.channel_id))
        .where(
            col(Variant.connection_id) == work.connection_id,
            ~col(Variant.paused),
            ~col(Channel.paused),
            ~col(Channel.deleted),
            or_(col(Variant.write_state).is_(None), col(Variant.write_state) == "accepted"),
            or_(col(Variant.send_after).is_(None), col(Variant.send_after) <= now),
            # In the words of the partial index, so that only dirty listings are ever looked at.
            text(f"variant.link = 'linked' and ({DIRTY}) and {SENDABLE}"),
        )
        .order_by(text(LANE_ORDER), col(Variant.id))
        .limit(_CANDIDATES)
        .with_for_update(of=Variant, skip_locked=True)
    )
    if work.channel_id is not None:
        query = query.where(col(Variant.channel_id) == work.channel_id)
    intents: list[Intent] = []
    planned = 0
    for variant, marketplace_id in (await session.exec(query)).all():
        step = plan(variant)
        if step.sends and len(intents) == _BATCH:
            continue
        planned += 1
        settle(variant, step)
        if step.sends:
            intend(variant, step, now)
            intents.append(
                Intent(
                    variant_id=variant.id,
                    sku=variant.sku,
                    marketplace_id=marketplace_id,
                    product_type=variant.product_type,
                    sent_at=now,
                    quantity=variant.quantity if step.quantity == "send" else None,
                    price=variant.price if step.price == "send" else None,
                    currency=variant.currency,
                )
            )
        else:
            work.count("already_right")
    return planned, intents


async def _send(amazon: AmazonClient, seller: Seller, intents: Sequence[Intent], fence: Fence) -> dict[UUID, Outcome]:
    offers, outcomes = await _read_offers(amazon, seller, [intent for intent in intents if intent.price is not None])
    allowed = asyncio.Semaphore(_IN_FLIGHT)

    async def one(intent: Intent) -> None:
        async with allowed:
            outcomes[intent.variant_id] = await send(amazon, seller, intent, offers.get(intent.variant_id), fence)

    await asyncio.gather(*(one(intent) for intent in intents if intent.variant_id not in outcomes))
    return outcomes


async def _read_offers(
    amazon: AmazonClient, seller: Seller, priced: Sequence[Intent]
) -> tuple[dict[UUID, dict[str, Any] | None], dict[UUID, Outcome]]:
    """The offers as they are now, and the outcome of those listings that cannot be sent without."""
    offers: dict[UUID, dict[str, Any] | None] = {}
    outcomes: dict[UUID, Outcome] = {}
    by_marketplace: dict[str, list[Intent]] = defaultdict(list)
    for intent in priced:
        by_marketplace[intent.marketplace_id].append(intent)
    for marketplace_id, of_marketplace in by_marketplace.items():
        try:
            found = await seen.search(amazon, seller, marketplace_id, [intent.sku for intent in of_marketplace])
            for intent in of_marketplace:
                try:
                    shown = found.get(intent.sku) or await seen.get(amazon, seller, marketplace_id, intent.sku)
                    offers[intent.variant_id] = shown.offer
                except AmazonNotFound:
                    outcomes[intent.variant_id] = Outcome(gone=True)
        except AmazonError as error:
            stop = None if isinstance(error, InvalidInput) else error
            outcomes |= {
                intent.variant_id: Outcome(dict.fromkeys(intent.parts, "not_sent"), stop=stop)
                for intent in of_marketplace
                if intent.variant_id not in offers
            }
    return offers, outcomes


async def _record(
    session: AsyncSession,
    work: Work,
    intents: Sequence[Intent],
    outcomes: dict[UUID, Outcome],
    delays: Sequence[float],
) -> None:
    now = clock.now()
    sent_at = {intent.variant_id: intent.sent_at for intent in intents}
    query = select(Variant).where(col(Variant.id).in_(sent_at)).order_by(col(Variant.id)).with_for_update()
    events: list[Event] = []
    for variant in (await session.exec(query)).all():
        outcome = outcomes[variant.id]
        if variant.sent_at != sent_at[variant.id]:
            continue  # unlinked meanwhile: nothing of it is expected any more
        if outcome.gone:
            lose(variant, now)
            work.count("broken_link")
            events.append(link_broken(variant))
            continue
        refusals = record(variant, outcome, delays, now)
        work.moved |= "accepted" in outcome.answers.values()
        work.count("pushed", int(any(answer in ("accepted", "unknown") for answer in outcome.answers.values())))
        for refusal in refusals:
            work.error(refusal.code, refusal.detail, sku=variant.sku, channel_id=str(variant.channel_id))
            events.append(
                ListingRejected(
                    account_id=variant.account_id,
                    channel_id=variant.channel_id,
                    sku=variant.sku,
                    code=refusal.code,
                    detail=refusal.detail,
                )
            )
    await session.flush()
    await outbox.publish(session, *events)
