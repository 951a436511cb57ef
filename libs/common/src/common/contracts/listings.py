"""`entrepot.listings`: what happened to listings, for other systems."""

from typing import ClassVar
from uuid import UUID

from common.contracts.event import Event, Money, Quantity, Sku

TOPIC = "entrepot.listings"


class ListingEvent(Event):
    """Names one listing variant."""

    TOPIC: ClassVar[str] = TOPIC

    channel_id: UUID
    sku: Sku

    def key(self) -> str:
        return f"{self.account_id}:{self.channel_id}:{self.sku}"


class ListingLinked(ListingEvent):
    """The SKU was found among the seller's Amazon listings."""

    asin: str | None = None


class ListingLinkBroken(ListingEvent):
    """The listing is gone at Amazon; unlink and relink it."""


class ListingPublished(ListingEvent):
    """An offer was created and read back."""


class ListingSynced(ListingEvent):
    """Amazon shows what was last desired: read back. Absent means not managed or unknown."""

    quantity: Quantity | None = None
    price: Money | None = None


class ListingHidden(ListingEvent):
    """The offer is out of stock on Amazon on purpose."""


class ListingDelisted(ListingEvent):
    """The offer is gone: Amazon answered 404."""


class ListingRejected(ListingEvent):
    """Amazon (or our own check) refused a change; `code` is Amazon's own when it has one."""

    code: str
    detail: str
