"""A seller's listings: what Amazon has accepted, and what it shows so far."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from amazon_sandbox.listings.attributes import (
    MERCHANT_CHANNEL,
    Attributes,
    marketplace_ids_of,
    merchant_availability,
    offer_price,
)
from amazon_sandbox.wire import decode, encode


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """One state of a listing. Attributes stay encoded: a hundred thousand listings fit in memory that way."""

    encoded: bytes
    product_type: str
    marketplace_ids: tuple[str, ...]
    updated_ms: int
    problems: bytes = b""  # issues a dial gave it, encoded

    def attributes(self) -> Attributes:
        attributes: Attributes = decode(self.encoded)
        return attributes


def snapshot(attributes: Attributes, product_type: str, updated_ms: int) -> Snapshot:
    return Snapshot(encode(attributes), product_type, marketplace_ids_of(attributes), updated_ms)


class Write(NamedTuple):
    """One accepted write by API, for the books: what it left behind in its marketplace."""

    at_ms: int
    operation: str
    marketplace_id: str
    price: Decimal | int | None
    quantity: int | None


class Listing(msgspec.Struct, eq=False):
    """`accepted` is what Amazon holds to be true, `visible` what get and search show; None is not listed."""

    sku: str
    created_ms: int
    accepted: Snapshot | None = None
    visible: Snapshot | None = None
    sold: int = 0  # units Amazon took off DEFAULT by itself, less those it gave back
    version: int = 0  # counts accepted states; a late older one must not replace a newer one in sight
    visible_version: int = 0
    writes: list[Write] | tuple[()] = ()  # a list from the first on: most listings have none


class Publication(NamedTuple):
    """An accepted state on its way to be seen."""

    listing: Listing
    state: Snapshot | None
    version: int
    sold: int

    def publish(self) -> None:
        listing, state = self.listing, self.state
        if self.version < listing.visible_version:
            return
        listing.visible_version = self.version
        # What was sold while the write was on its way is sold all the same.
        listing.visible = _lowered(state, listing.sold - self.sold) if state is not None else None


MOST_RENDERED = 4096  # documents a catalogue keeps, each a kilobyte or two


class Catalogue:
    def __init__(self) -> None:
        self.listings: dict[str, Listing] = {}
        self.rendered: dict[tuple[str, ...], tuple[Snapshot, bytes]] = {}

    def find(self, sku: str) -> Listing | None:
        """SKUs are compared as they are, case and slashes included."""
        return self.listings.get(sku)

    def seed(self, sku: str, state: Snapshot) -> None:
        """Puts a listing there as if it had always been: in sight at once, no writes on its books."""
        self.listings[sku] = Listing(sku, state.updated_ms, accepted=state, visible=state)

    def accept(self, sku: str, state: Snapshot | None, write: Write) -> Publication:
        """Takes a write by API; the caller decides when the publication runs."""
        listing = self.listings.get(sku)
        if listing is None:
            listing = self.listings[sku] = Listing(sku, write.at_ms)
        listing.accepted = state
        listing.version += 1
        if isinstance(listing.writes, list):
            listing.writes.append(write)
        else:
            listing.writes = [write]
        return Publication(listing, state, listing.version, listing.sold)

    def remove(self, sku: str, state: Snapshot | None) -> None:
        """A change made in Seller Central: true and in sight at once."""
        listing = self.listings[sku]
        listing.accepted = listing.visible = state
        listing.version += 1
        listing.visible_version = listing.version

    def sell(self, sku: str, quantity: int) -> int:
        """Amazon lowers its own quantity when an order is placed; a negative `quantity` gives it back.

        Returns the units that were there to take.
        """
        listing = self.listings.get(sku)
        if listing is None:
            return 0
        taken = min(quantity, _quantity(listing.accepted))
        listing.sold += taken
        same = listing.visible is listing.accepted
        listing.accepted = _lowered(listing.accepted, taken)
        listing.visible = listing.accepted if same else _lowered(listing.visible, taken)
        return taken


def _quantity(state: Snapshot | None) -> int:
    """Units in DEFAULT; none where no quantity stands."""
    availability = merchant_availability(state.attributes()) if state is not None else None
    return int(availability.get("quantity", 0)) if availability is not None else 0


def _lowered(state: Snapshot | None, units: int) -> Snapshot | None:
    if state is None or units == 0:
        return state
    attributes = state.attributes()
    availability = merchant_availability(attributes)
    if availability is None or "quantity" not in availability:
        return state
    lowered = {**availability, "quantity": max(availability["quantity"] - units, 0)}
    attributes["fulfillment_availability"] = [
        lowered if instance.get("fulfillment_channel_code") == MERCHANT_CHANNEL else instance
        for instance in attributes["fulfillment_availability"]
    ]
    return msgspec.structs.replace(state, encoded=encode(attributes))


def write_of(at_ms: int, operation: str, marketplace_id: str, attributes: Attributes | None) -> Write:
    if attributes is None:
        return Write(at_ms, operation, marketplace_id, None, None)
    availability = merchant_availability(attributes) or {}
    return Write(
        at_ms, operation, marketplace_id, offer_price(attributes, marketplace_id), availability.get("quantity")
    )
