"""Why an order is not imported, not routed or not shipped yet, with the setting that would change it (MISSION C5)."""

from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.callers import Caller
from orders_service.asking import RESUME
from orders_service.models import Channel, Connection, FulfillmentRequest, ImportCursor, Order, UnimportedOrder
from orders_service.order_state import not_ours_to_ship
from orders_service.wanting import paused


class Reason(NamedTuple):
    """One finding; `fix` is what a person can change, empty when there is nothing to do."""

    code: str
    what: str
    fix: str


_BACK_FILL = 'POST /v1/operations with {"operation": "get_orders", "connection_id", "amazon_order_ids": [...]}'
_READ_AGAIN = "Nothing to set: Get Orders reads the order again by itself, later and later"
_PARKED = f"It is not read again by itself any more: look at it in Seller Central, then {_BACK_FILL}"
# By code: what a person can do about it. The tests do each and see its code go away.
FIXES = {
    "no_channel": "Create a channel with POST /v1/channels of the auth service; the next Get Orders reads it again",
    "not_sold_on_amazon": "",
    "unknown_marketplace": "",
    "channel_paused": RESUME,
    "status_not_configured": "Add the status with PUT /v1/channels/{id}/order-settings",
    "too_old": "Raise created_within_days with PUT /v1/channels/{id}/order-settings",
    "malformed": _READ_AGAIN,
    "not_storable": _READ_AGAIN,
    "unexpected": _READ_AGAIN,
    "unanswered": _READ_AGAIN,
    "amazon_refused": _READ_AGAIN,
    "not_found": _READ_AGAIN,
    "pending": "Nothing to do: Amazon releases the order when payment is settled",
    "unmapped_shipping": "Map its service level with PUT /v1/channels/{id}/shipping-mappings",
    "unknown_channel": "Create the channel of its marketplace again with POST /v1/channels of the auth service",
    "cancel_requested": "The buyer asked to cancel: cancel the order in Seller Central, or decline the request there",
    "no_address": "Have Amazon grant the application the role Direct-to-Consumer Delivery and authorize the connection "
    "again; the address comes with the next Get Orders, or at once with " + _BACK_FILL,
    "line_without_sku": "Give its offer a SKU in Seller Central; it comes with the next Get Orders, or at once with "
    + _BACK_FILL,
    "in_store_pick_up": "Hand it out in the store and mark it as picked up in Seller Central: it has no parcel",
    "easy_ship": "Schedule its pick-up in Seller Central: Amazon's own carrier collects it",
    "ship_plus": "Buy its label in Seller Central: Amazon confirms a Ship+ order itself",
    "seller_flex": "Ship it with the tool of Amazon's that your warehouse has for this program",
    "no_source_has_sku": "Add the SKU with PUT /v1/sources/{id}/inventory of the compliance service",
    "none_in_stock": "Raise a quantity of the SKU with PUT /v1/sources/{id}/inventory of the compliance service",
    "none_compliant": "Attest it with PUT /v1/sources/{id}/attestation of the compliance service",
    "rule_not_satisfiable": "Change its rules with PUT /v1/channels/{id}/routing-group of the compliance service",
    "already_released": "See GET /v1/fulfillment-requests?order_id=: a source ships the items, or refuses to fill",
}


async def explain(session: AsyncSession, caller: Caller, connection_id: UUID, amazon_order_id: str) -> list[Reason]:
    """All that stands in the order's way; empty when nothing does. Raises `NotFound` for a foreign connection."""
    connection = await caller.one(session, Connection, connection_id)
    order = (
        await session.exec(
            caller.scoped(Order).where(
                Order.selling_partner_id == connection.selling_partner_id, Order.amazon_order_id == amazon_order_id
            )
        )
    ).one_or_none()
    if order is None:
        return await _why_not_imported(session, connection, amazon_order_id)
    if foreign := not_ours_to_ship(order.fulfilled_by):
        return [Reason(*foreign, "")]
    reasons = [Reason(hold, f"held: {hold.replace('_', ' ')}", FIXES.get(hold, "")) for hold in order.holds]
    if order.held_code:
        reasons.append(Reason(order.held_code, order.held_detail or "", FIXES.get(order.held_code, "")))
    return [*await _of_channel(session, order), *(reasons or await _why_not_routed(session, order))]


async def _of_channel(session: AsyncSession, order: Order) -> list[Reason]:
    channel = await session.get(Channel, order.channel_id)
    if channel is None or channel.deleted or not channel.paused:
        return []
    return [Reason(*paused(channel), FIXES["channel_paused"])]


async def _why_not_imported(session: AsyncSession, connection: Connection, amazon_order_id: str) -> list[Reason]:
    skipped = await session.get(UnimportedOrder, (connection.id, amazon_order_id))
    if skipped is not None:
        fix = _PARKED if skipped.parked_at else FIXES.get(skipped.code, "")
        return [Reason(skipped.code, skipped.detail, fix)]
    cursor = await session.get(ImportCursor, connection.id)
    if cursor is None:
        what = "Get Orders has not come to its end for this connection yet"
        return [Reason("never_run", what, "See its runs with GET /v1/operations?connection_id=")]
    what = f"Amazon has not shown this order; updates are seen from {cursor.last_updated_after.isoformat()} on"
    return [Reason("not_seen", what, _BACK_FILL)]


async def _why_not_routed(session: AsyncSession, order: Order) -> list[Reason]:
    query = select(FulfillmentRequest).where(FulfillmentRequest.order_id == order.id)
    newest = (await session.exec(query.order_by(col(FulfillmentRequest.decision_version).desc()))).first()
    if newest is None:
        return [Reason("waits_for_routing", f"the order is {order.status}; no routing decision has come yet", "")]
    if newest.status in ("withdrawn", "refused"):
        what = newest.detail or newest.reason or ""
        return [Reason(f"request_{newest.status}", what, "It waits for the next routing decision")]
    return []
