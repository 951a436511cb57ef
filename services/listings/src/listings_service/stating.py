"""Applies what is said of many listings (API, CSV, `InventoryChanged`) to their desired state, set-based.

Everything here runs inside the caller's transaction and locks the variants it touches in the order of their ids.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page, run
from listings_service.delta import Desired, Sale, Statement, state
from listings_service.models import Channel, Listing, Variant

# (account, channel, SKU): what names a listing to other systems.
Key = tuple[UUID, UUID, str]


@dataclass(frozen=True, slots=True)
class Locked:
    """A variant under its row lock."""

    id: UUID
    desired: Desired


async def channels(session: AsyncSession, ids: Collection[UUID]) -> dict[tuple[UUID, UUID], Channel]:
    """The channels with these ids that still exist, by (account, id): an id of another account finds nothing."""
    found = await session.exec(select(Channel).where(col(Channel.id).in_(set(ids)), ~col(Channel.deleted)))
    return {(channel.account_id, channel.id): channel for channel in found}


async def lock(session: AsyncSession, keys: Collection[Key]) -> dict[Key, Locked]:
    """Locks the variants that exist, for update."""
    if not keys:
        return {}
    accounts, channel_ids, skus = map(list, zip(*keys, strict=True))
    rows = await run(
        session,
        """
        select v.account_id, v.channel_id, v.sku, v.id, v.stated_quantity, v.quantity, v.quantity_as_of,
            v.quantity_version, v.price, v.currency, v.price_as_of, v.price_version
        from variant v join unnest($1::uuid[], $2::uuid[], $3::text[]) as k(account_id, channel_id, sku)
            on v.account_id = k.account_id and v.channel_id = k.channel_id and v.sku = k.sku collate "C"
        order by v.id for update of v
        """,
        accounts,
        channel_ids,
        skus,
    )
    return {(row[0], row[1], row[2]): Locked(row[3], Desired(*row[4:])) for row in rows}


async def create(
    session: AsyncSession, new: Mapping[Key, tuple[str, str | None]], of_channel: Mapping[tuple[UUID, UUID], Channel]
) -> set[UUID]:
    """Creates a variant per key, with its parent (its SKU and title) where that is missing; answers the new ids.

    A listing that another request created meanwhile is left as it is.
    """
    now = clock.now()
    parents = {(account, channel, parent): title for (account, channel, _), (parent, title) in sorted(new.items())}
    await insert_page(
        session,
        Listing,
        ("id", "account_id", "channel_id", "sku", "title", "created_at"),
        [(uuid4(), *key, title, now) for key, title in parents.items()],
        "on conflict (account_id, channel_id, sku) do nothing",
    )
    parent_ids = await _parent_ids(session, list(parents))
    created = await insert_page(
        session,
        Variant,
        ("id", "account_id", "connection_id", "channel_id", "listing_id", "sku", "created_at"),
        [
            (
                uuid4(),
                account,
                of_channel[account, channel].connection_id,
                channel,
                parent_ids[account, channel, parent],
                sku,
                now,
            )
            for (account, channel, sku), (parent, _) in sorted(new.items())
        ],
        "on conflict (account_id, channel_id, sku) do nothing returning id",
    )
    return {row[0] for row in created}


async def _parent_ids(session: AsyncSession, keys: Sequence[Key]) -> dict[Key, UUID]:
    if not keys:
        return {}
    rows = await run(
        session,
        """
        select l.account_id, l.channel_id, l.sku, l.id
        from listing l join unnest($1::uuid[], $2::uuid[], $3::text[]) as k(account_id, channel_id, sku)
            on l.account_id = k.account_id and l.channel_id = k.channel_id and l.sku = k.sku collate "C"
        """,
        *map(list, zip(*keys, strict=True)),
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def retitle(session: AsyncSession, titles: Mapping[UUID, str]) -> set[UUID]:
    """Sets the titles of the variants' parents; answers the variants whose title is another one now."""
    rows = await run(
        session,
        """
        update listing l set title = n.title
        from unnest($1::uuid[], $2::text[]) as n(variant_id, title) join variant v on v.id = n.variant_id
        where l.id = v.listing_id and l.title is distinct from n.title returning v.id
        """,
        list(titles),
        list(titles.values()),
    )
    return {row[0] for row in rows}


async def apply(session: AsyncSession, said: Sequence[tuple[Locked, Statement]]) -> set[UUID]:
    """Applies statements in their order to locked variants; answers the ids whose desired state really changed."""
    sales = await _sales_after(session, said)
    touched: dict[UUID, Locked] = {}
    changed: set[UUID] = set()
    for locked, statement in said:
        touched[locked.id] = locked
        if state(locked.desired, statement, sales[locked.id]):
            changed.add(locked.id)
    if touched:
        await _write(session, list(touched.values()))
    return changed


async def _sales_after(session: AsyncSession, said: Sequence[tuple[Locked, Statement]]) -> dict[UUID, list[Sale]]:
    """The sales since the oldest figure of each variant: what the figure does not know of yet."""
    oldest: dict[UUID, datetime] = {}
    for locked, statement in said:
        if statement.quantity is not None:
            oldest[locked.id] = min(statement.as_of, oldest.get(locked.id, statement.as_of))
    sales: dict[UUID, list[Sale]] = defaultdict(list)
    if oldest:
        rows = await run(
            session,
            """
            select e.variant_id, e.purchased_at, e.quantity
            from order_effect e join unnest($1::uuid[], $2::timestamptz[]) as k(variant_id, as_of)
                on e.variant_id = k.variant_id and e.purchased_at > k.as_of
            where e.quantity > 0
            """,
            list(oldest),
            list(oldest.values()),
        )
        for variant_id, purchased_at, quantity in rows:
            sales[variant_id].append(Sale(purchased_at, quantity))
    return sales


async def _write(session: AsyncSession, touched: Sequence[Locked]) -> None:
    rows = [
        (
            locked.id,
            locked.desired.stated_quantity,
            locked.desired.quantity,
            locked.desired.quantity_as_of,
            locked.desired.quantity_version,
            locked.desired.price,
            locked.desired.currency,
            locked.desired.price_as_of,
            locked.desired.price_version,
        )
        for locked in touched
    ]
    await run(
        session,
        """
        update variant v set (stated_quantity, quantity, quantity_as_of, quantity_version,
                price, currency, price_as_of, price_version)
            = (n.stated_quantity, n.quantity, n.quantity_as_of, n.quantity_version,
                n.price, n.currency, n.price_as_of, n.price_version)
        from unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[], $5::bigint[], $6::numeric[], $7::text[],
            $8::timestamptz[], $9::bigint[]) as n(id, stated_quantity, quantity, quantity_as_of, quantity_version,
            price, currency, price_as_of, price_version)
        where v.id = n.id
        """,
        *map(list, zip(*rows, strict=True)),
    )
