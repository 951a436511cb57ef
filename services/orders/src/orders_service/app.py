"""Wires the doors of the orders service."""

from common.app import Service
from orders_service.events import TOPICS, handlers
from orders_service.jobs import runners
from orders_service.personal_data import SEALED
from orders_service.routes import channels, fulfillment_requests, operations, orders, packing_slips, shipments
from orders_service.settings import OrdersSettings

SERVICE = Service(
    name="orders",
    package="orders_service",
    settings=OrdersSettings,
    routers=(
        channels.router,
        operations.router,
        orders.router,
        fulfillment_requests.router,
        packing_slips.router,
        shipments.router,
    ),
    topics=TOPICS,
    events=handlers,
    operations=runners,
    sealed=SEALED,
)
