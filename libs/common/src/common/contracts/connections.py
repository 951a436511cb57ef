"""`entrepot.connections`: what the other services know of connections and channels. Compacted: each event is whole."""

from typing import ClassVar, Literal
from uuid import UUID

from common.contracts.event import Contract, Event

TOPIC = "entrepot.connections"

Region = Literal["NA", "EU", "FE"]


class Address(Contract):
    """A business address (the seller's, never a buyer's)."""

    name: str
    line_1: str
    line_2: str | None = None
    city: str
    state_or_region: str | None = None
    postal_code: str
    country_code: str


class Channel(Contract):
    """A place that sells: one marketplace of one connection."""

    channel_id: UUID
    name: str
    integration_type: str = "amazon"
    marketplace_id: str
    paused: bool
    seller_of_record: str
    return_address: Address | None = None


class ConnectionEvent(Event):
    """The whole connection with all its channels; consumers keep the highest `version`."""

    TOPIC: ClassVar[str] = TOPIC

    connection_id: UUID
    version: int
    name: str
    status: Literal["pending", "active", "reauthorization_due", "revoked", "disabled", "deleted"]
    selling_partner_id: str
    region: Region
    home_marketplace_id: str
    channels: tuple[Channel, ...] = ()

    def key(self) -> str:
        return f"{self.account_id}:{self.connection_id}"


class ConnectionAuthorized(ConnectionEvent):
    """A merchant authorised the app (first consent or re-consent): calls to Amazon may start."""


class ConnectionChanged(ConnectionEvent):
    """The connection's name or home marketplace, or one of its channels, was created, edited, paused or deleted."""


class ConnectionRevoked(ConnectionEvent):
    """Amazon refuses our grant: no more calls for this connection until it is authorised again."""


class ConnectionDisabled(ConnectionEvent):
    """Somebody of the account switched the connection off, or deleted it."""


class ReauthorizationDue(ConnectionEvent):
    """The yearly authorisation runs out soon; the merchant should renew it."""
