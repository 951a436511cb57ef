"""The Kafka door: orders, connections and source inventory, each batch to its use case."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from common.contracts import connections, inventory, orders
from common.contracts.event import Event, Received
from common.kafka import Handles
from compliance_service.account_turn import take_free_turns, take_turn
from compliance_service.deciding import follow_orders
from compliance_service.projecting import follow_connections
from compliance_service.stocking import follow_inventory

TYPES: tuple[type[Event], ...] = (
    connections.ConnectionAuthorized,
    connections.ConnectionChanged,
    connections.ConnectionRevoked,
    connections.ConnectionDisabled,
    connections.ReauthorizationDue,
    orders.OrderImported,
    orders.OrderChanged,
    orders.OrderCancelled,
    orders.FulfillmentWithdrawn,
    orders.FulfillmentRefused,
    orders.FulfillmentShipped,
    inventory.SourceInventoryChanged,
)
TOPICS = (orders.TOPIC, connections.TOPIC, inventory.TOPIC)


def handler(*, restock_reroute_delay_seconds: float) -> Handles:
    """One call per use case and batch: events of different topics have no order among them, those of one keep it."""

    async def handle(session: AsyncSession, received: Sequence[Received]) -> None:
        await follow_connections(session, [r for r in received if r.event.TOPIC == connections.TOPIC])
        stock = [r for r in received if r.event.TOPIC == inventory.TOPIC]
        about_orders = [r for r in received if r.event.TOPIC == orders.TOPIC]
        await take_turn(session, {r.event.account_id for r in (*stock, *about_orders)})
        # Stock first: an order of the same batch may need it.
        await follow_inventory(session, stock, reroute_delay_seconds=restock_reroute_delay_seconds)
        await follow_orders(session, about_orders, reroute_delay_seconds=restock_reroute_delay_seconds)

    async def free(session: AsyncSession, received: Sequence[Received]) -> Sequence[Received]:
        """Those of accounts whose turn is free: while held orders of one are decided again, only its events wait."""
        taken = await take_free_turns(session, {r.event.account_id for r in received if _needs_turn(r)})
        return [r for r in received if not _needs_turn(r) or r.event.account_id in taken]

    return Handles(TYPES, handle, free=free)


def _needs_turn(received: Received) -> bool:
    return received.event.TOPIC != connections.TOPIC
