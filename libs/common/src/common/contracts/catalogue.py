"""All events by name and version, and the topics with their settings: what the stack creates and consumers decode."""

from dataclasses import dataclass

from common.contracts import compliance, connections, inventory, listings, orders, shipments
from common.contracts.event import Event

EVENTS: dict[tuple[str, int], type[Event]] = {
    (event.__name__, event.VERSION): event
    for event in (
        connections.ConnectionAuthorized,
        connections.ConnectionChanged,
        connections.ConnectionRevoked,
        connections.ConnectionDisabled,
        connections.ReauthorizationDue,
        listings.ListingLinked,
        listings.ListingLinkBroken,
        listings.ListingPublished,
        listings.ListingSynced,
        listings.ListingHidden,
        listings.ListingDelisted,
        listings.ListingRejected,
        orders.OrderImported,
        orders.OrderChanged,
        orders.OrderCancelled,
        orders.FulfillmentRequested,
        orders.FulfillmentWithdrawn,
        orders.FulfillmentRefused,
        orders.FulfillmentShipped,
        orders.TrackingConfirmed,
        orders.TrackingRejected,
        orders.PiiErased,
        compliance.OrderRouted,
        compliance.OrderHeld,
        compliance.SourceComplianceChanged,
        compliance.SourceAttestationExpiring,
        shipments.ShipmentCreated,
        inventory.InventoryChanged,
        inventory.SourceInventoryChanged,
    )
}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and how it is kept. Topics that are not compacted keep 14 days (the inbox keeps 30)."""

    name: str
    writer: str
    readers: tuple[str, ...]
    compacted: bool = False
    retention_days: int = 14

    @property
    def configs(self) -> dict[str, str]:
        if self.compacted:
            return {"cleanup.policy": "compact"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * 86_400_000)}


TOPICS = (
    Topic(connections.TOPIC, "auth", ("listings", "orders", "compliance"), compacted=True),
    Topic(listings.TOPIC, "listings", ()),
    Topic(orders.TOPIC, "orders", ("listings", "compliance")),
    Topic(compliance.TOPIC, "compliance", ("orders",)),
    Topic(shipments.TOPIC, "source systems", ("orders",)),
    Topic(inventory.TOPIC, "platform and source systems", ("listings", "compliance")),
)


def dead_letter_topic(topic: str) -> str:
    """Where copies of messages leave that a consumer could not handle."""
    return f"{topic}.dead-letter"
