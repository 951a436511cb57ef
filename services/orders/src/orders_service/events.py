"""The Kafka door: each event type goes to its use case, in the order the events came."""

from collections.abc import Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from common.app import Runtime
from common.contracts import compliance, connections, shipments
from common.contracts.event import Received
from common.kafka import Handler, by_type
from orders_service import fulfilling, projecting, shipping
from orders_service.settings import OrdersSettings

TOPICS = (connections.TOPIC, compliance.TOPIC, shipments.TOPIC)


def handlers(runtime: Runtime[OrdersSettings]) -> Handler:
    """What this service does with the events of `TOPICS`."""

    async def connection(session: AsyncSession, received: Sequence[Received]) -> None:
        await projecting.connection_changed(session, runtime.settings, _events(received))

    async def routed(session: AsyncSession, received: Sequence[Received]) -> None:
        await fulfilling.route(session, _events(received))

    async def held(session: AsyncSession, received: Sequence[Received]) -> None:
        await fulfilling.hold(session, _events(received))

    async def source(session: AsyncSession, received: Sequence[Received]) -> None:
        await fulfilling.source_changed(session, _events(received))

    async def shipment(session: AsyncSession, received: Sequence[Received]) -> None:
        await shipping.record(session, _events(received))

    return by_type(
        {
            connections.ConnectionAuthorized: connection,
            connections.ConnectionChanged: connection,
            connections.ConnectionRevoked: connection,
            connections.ConnectionDisabled: connection,
            connections.ReauthorizationDue: connection,
            compliance.OrderRouted: routed,
            compliance.OrderHeld: held,
            compliance.SourceComplianceChanged: source,
            shipments.ShipmentCreated: shipment,
        }
    )


def _events(received: Sequence[Received]) -> list[Any]:
    """`by_type` has sorted them: all are of the handler's type."""
    return [one.event for one in received]
