"""Link (B2): finds unlinked listings among the seller's Amazon listings by exact SKU; product data stays as it is."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock, outbox
from common.amazon.client import AmazonClient, Seller
from common.amazon.listings import SKUS_PER_SEARCH
from common.amazon.run_outcomes import outcomes
from common.contracts.listings import ListingLinked
from common.db import Database
from common.jobs import Work
from listings_service import calling, lifecycle, seen
from listings_service.models import Channel, Variant
from listings_service.seen import Seen

# Searches under way together; their results are one transaction.
_TOGETHER = 4


async def link(db: Database, amazon: AmazonClient, work: Work) -> None:
    """Links what Amazon has; what it does not have is the count `not_found`, no error. Resumes after the last page."""
    while True:
        async with db.transaction() as session:
            await work.hold(session)
            seller = await calling.seller(session, work.connection_id)
            page = await _unlinked(session, work)
        if not page:
            return
        found = await _find(amazon, seller, page)
        async with db.transaction() as session:
            await work.hold(session)
            work.count("linked", await _store(session, found))
            work.count("not_found", len(page) - len(found))
            work.cursor = {"after": str(page[-1][0])}
            await work.hold(session)


_Wanted = tuple[UUID, str, str]  # variant, marketplace, SKU


async def _unlinked(session: AsyncSession, work: Work) -> Sequence[_Wanted]:
    query = (
        select(Variant.id, Channel.marketplace_id, Variant.sku)
        .join(Channel, col(Channel.id) == col(Variant.channel_id))
        .where(
            col(Variant.connection_id) == work.connection_id,
            col(Variant.link) == "unlinked",
            ~col(Variant.paused),
            ~col(Channel.paused),
            ~col(Channel.deleted),
        )
        .order_by(col(Variant.id))
        .limit(_TOGETHER * SKUS_PER_SEARCH)
    )
    if work.channel_id is not None:
        query = query.where(col(Variant.channel_id) == work.channel_id)
    if after := work.cursor.get("after"):
        query = query.where(col(Variant.id) > UUID(after))
    return (await session.exec(query)).all()


async def _find(amazon: AmazonClient, seller: Seller, page: Sequence[_Wanted]) -> dict[UUID, Seen]:
    """What Amazon shows of the page's listings, by variant."""
    by_marketplace: dict[str, list[_Wanted]] = defaultdict(list)
    for wanted in page:
        by_marketplace[wanted[1]].append(wanted)
    searches = [
        (marketplace_id, wanted[start : start + SKUS_PER_SEARCH])
        for marketplace_id, wanted in by_marketplace.items()
        for start in range(0, len(wanted), SKUS_PER_SEARCH)
    ]
    with outcomes():
        answers = await asyncio.gather(
            *(
                seen.search(amazon, seller, marketplace_id, [sku for _, _, sku in part])
                for marketplace_id, part in searches
            )
        )
    return {
        variant_id: answer[sku]
        for (_, part), answer in zip(searches, answers, strict=True)
        for variant_id, _, sku in part
        if sku in answer
    }


async def _store(session: AsyncSession, found: dict[UUID, Seen]) -> int:
    query = select(Variant).where(col(Variant.id).in_(found)).order_by(col(Variant.id)).with_for_update()
    linked: list[Variant] = []
    for variant in await session.exec(query):
        target = lifecycle.after(variant.link, "found")
        if target is not None and not variant.paused:
            variant.link = target
            variant.last_error = None
            variant.amazon_quantity, variant.amazon_price, variant.amazon_currency = found[variant.id].figures
            found[variant.id].note_on(variant, clock.now())
            linked.append(variant)
    await session.flush()
    await outbox.publish(
        session,
        *(
            ListingLinked(account_id=one.account_id, channel_id=one.channel_id, sku=one.sku, asin=one.asin)
            for one in linked
        ),
    )
    return len(linked)
