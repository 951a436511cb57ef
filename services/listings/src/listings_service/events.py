"""The Kafka door: connections, what merchants want to sell, and what orders took."""

from functools import partial

from common.app import Runtime
from common.contracts import connections, inventory, orders
from common.kafka import Handler, by_type
from listings_service.receiving import receive
from listings_service.remembering import remember
from listings_service.selling import sell
from listings_service.settings import ListingsSettings

TOPICS = (connections.TOPIC, inventory.TOPIC, orders.TOPIC)


def handler(runtime: Runtime[ListingsSettings]) -> Handler:
    """Which use case hears which event."""
    of_connections = partial(remember, sync_every_seconds=runtime.settings.sync_every_seconds)
    return by_type(
        {
            connections.ConnectionAuthorized: of_connections,
            connections.ConnectionChanged: of_connections,
            connections.ConnectionRevoked: of_connections,
            connections.ConnectionDisabled: of_connections,
            connections.ReauthorizationDue: of_connections,
            inventory.InventoryChanged: receive,
            orders.OrderImported: sell,
            orders.OrderChanged: sell,
            orders.OrderCancelled: sell,
        }
    )
