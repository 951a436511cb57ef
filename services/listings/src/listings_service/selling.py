"""What orders do to listings: a sale lowers what the channel shows and what Amazon is known to show, a cancellation
gives it back. Each order's hold on a variant is a row, so every event takes effect exactly once, in any order."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.marketplaces import is_marketplace, marketplace
from common.bulk import insert_page, run
from common.contracts.event import Received
from common.contracts.orders import OrderCancelled, OrderEvent
from listings_service.models import OrderEffect

# (account, seller, Amazon order id), and (seller of an account, region, SKU): DEFAULT stock is one per region and SKU,
# whatever the marketplace (FACTS 5.3.5), so a sale in one channel lowers its siblings too (edge 25).
_OrderKey = tuple[UUID, str, str]
_SkuKey = tuple[UUID, str, str, str]

_COLUMNS = (
    "account_id",
    "selling_partner_id",
    "amazon_order_id",
    "variant_id",
    "quantity",
    "pending",
    "purchased_at",
    "version",
)
_UPSERT = """
on conflict (account_id, selling_partner_id, amazon_order_id, variant_id) do update
set quantity = excluded.quantity, pending = excluded.pending, version = excluded.version
"""


@dataclass(slots=True)
class _Held:
    quantity: int
    pending: bool
    version: int


async def sell(session: AsyncSession, received: Sequence[Received]) -> None:
    """Brings the listings in line with the orders as they stand; the highest version of an order wins."""
    orders: dict[_OrderKey, OrderEvent] = {}
    for one in received:
        # Amazon's own stock sells an FBA order; the quantity we manage is another one.
        if isinstance(one.event, OrderEvent) and one.event.fulfilled_by != "AMAZON":
            key = _order_key(one.event)
            if key not in orders or one.event.version > orders[key].version:
                orders[key] = one.event
    if not orders:
        return
    held = await _held(session, list(orders))
    variants = await _lock(session, orders, held)
    effects: list[tuple[object, ...]] = []
    # What Amazon does by itself to the quantity it shows, and which variants' sales changed at all.
    at_amazon: dict[UUID, int] = defaultdict(int)
    for key, order in orders.items():
        for variant_id, wanted in _wanted(order, variants, held[key]).items():
            before = held[key].get(variant_id)
            if before is not None and before.version >= order.version:
                continue
            units = wanted - (before.quantity if before else 0)
            pending = order.status == "PENDING" or (wanted == 0 and before is not None and before.pending)
            effects.append((*key, variant_id, wanted, pending, order.purchased_at, order.version))
            if units > 0 or (units < 0 and before is not None and before.pending):
                at_amazon[variant_id] -= units
            elif units < 0:
                at_amazon[variant_id] += 0
    await insert_page(session, OrderEffect, _COLUMNS, effects, _UPSERT)
    await _lower(session, at_amazon)


def _order_key(order: OrderEvent) -> _OrderKey:
    return order.account_id, order.selling_partner_id, order.amazon_order_id


def _sku_key(order: OrderEvent, sku: str) -> _SkuKey:
    region = marketplace(order.marketplace_id).region if is_marketplace(order.marketplace_id) else ""
    return order.account_id, order.selling_partner_id, region, sku


def _wanted(order: OrderEvent, variants: dict[_SkuKey, list[UUID]], held: dict[UUID, _Held]) -> dict[UUID, int]:
    """How many units of each variant the order holds now; 0 for what it held before and does not any more."""
    wanted = dict.fromkeys(held, 0)
    for line in order.lines:
        for variant_id in variants.get(_sku_key(order, line.sku), ()):
            units = 0 if isinstance(order, OrderCancelled) else line.quantity
            wanted[variant_id] = wanted.get(variant_id, 0) + units
    return wanted


async def _held(session: AsyncSession, orders: Sequence[_OrderKey]) -> dict[_OrderKey, dict[UUID, _Held]]:
    rows = await run(
        session,
        """
        select e.account_id, e.selling_partner_id, e.amazon_order_id, e.variant_id, e.quantity, e.pending, e.version
        from order_effect e join unnest($1::uuid[], $2::text[], $3::text[]) as k(account_id, seller, order_id)
            on e.account_id = k.account_id and e.selling_partner_id = k.seller and e.amazon_order_id = k.order_id
        """,
        *map(list, zip(*orders, strict=True)),
    )
    held: dict[_OrderKey, dict[UUID, _Held]] = defaultdict(dict)
    for account_id, seller, order_id, variant_id, *rest in rows:
        held[account_id, seller, order_id][variant_id] = _Held(*rest)
    return held


async def _lock(
    session: AsyncSession, orders: dict[_OrderKey, OrderEvent], held: dict[_OrderKey, dict[UUID, _Held]]
) -> dict[_SkuKey, list[UUID]]:
    """Locks the variants the orders hold or want, in the order of their ids; answers those of each SKU."""
    keys = {_sku_key(order, line.sku) for order in orders.values() for line in order.lines}
    accounts, sellers, regions, skus = map(list, zip(*keys, strict=True)) if keys else ([], [], [], [])
    rows = await run(
        session,
        """
        select c.account_id, c.selling_partner_id, c.region, v.sku, v.id
        from variant v join connection c on c.id = v.connection_id
        where v.id = any($5::uuid[]) or v.id in (
            select w.id
            from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as k(account_id, seller, region, sku)
            join connection d on d.account_id = k.account_id and d.selling_partner_id = k.seller
                and k.region in (d.region, '')
            join variant w on w.connection_id = d.id and w.sku = k.sku collate "C")
        order by v.id for update of v
        """,
        accounts,
        sellers,
        regions,
        skus,
        [variant_id for of_order in held.values() for variant_id in of_order],
    )
    found: dict[_SkuKey, list[UUID]] = defaultdict(list)
    for account_id, seller, region, sku, variant_id in rows:
        found[account_id, seller, region, sku].append(variant_id)
        found[account_id, seller, "", sku].append(variant_id)
    return found


async def _lower(session: AsyncSession, at_amazon: dict[UUID, int]) -> None:
    """Recounts what is left of each figure, and moves what Amazon is known to show as Amazon moved it.

    While a quantity is on its way nobody knows which came first, the sale or the write: what Amazon shows is then
    unknown, the open write is forgotten, and the desired quantity goes out once more (edge 15). Where the sale is in
    the figure already, Amazon alone was lowered: the part becomes dirty again (edge 30).
    """
    if not at_amazon:
        return
    await run(
        session,
        """
        with moved as (
            select v.id,
                case when v.stated_quantity is not null then greatest(0, v.stated_quantity - coalesce((
                    select sum(e.quantity) from order_effect e
                    where e.variant_id = v.id and e.purchased_at > v.quantity_as_of), 0)) end as desired,
                case when v.sent_quantity_version is null and v.amazon_quantity is not null
                    then greatest(0, v.amazon_quantity + n.units) end as shown
            from unnest($1::uuid[], $2::int[]) as n(id, units) join variant v on v.id = n.id),
        versioned as (
            select m.*, v.quantity_version + (m.desired is distinct from v.quantity)::int as version
            from moved m join variant v on v.id = m.id)
        update variant v set quantity = n.desired, quantity_version = n.version, amazon_quantity = n.shown,
            quantity_synced_version = case
                when n.shown is distinct from n.desired then least(v.quantity_synced_version, n.version - 1)
                else v.quantity_synced_version end,
            sent_quantity = null, sent_quantity_version = null,
            write_state = case when v.write_state = 'accepted' and v.sent_price_version is null then null
                else v.write_state end
        from versioned n where v.id = n.id
        """,
        list(at_amazon),
        list(at_amazon.values()),
    )
