"""What a sync sends of a listing, and in which order: stop-sell first, then quantity, then price. Pure: no I/O."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from common.amazon.listing import MERCHANT_FULFILLED
from listings_service.models import Variant

# none: nothing to do, or under way. settle: Amazon shows it already, or it is not ours to send.
# adopt: what was sent last is this very value again. send: Amazon shows, or is about to show, something else.
Step = Literal["none", "settle", "adopt", "send"]


class Lane(IntEnum):
    """The lower one leaves first (MISSION B3)."""

    STOP_SELL = 0
    QUANTITY = 1
    PRICE = 2
    NOTHING = 3


# The same rules as SQL, for picking the candidates of a page: `greatest` passes over the null of nothing under way.
_SENDABLE_QUANTITY = (
    "variant.quantity_version > greatest(variant.quantity_synced_version, variant.quantity_refused_version,"
    " variant.sent_quantity_version)"
)
_SENDABLE_PRICE = (
    "variant.price_version > greatest(variant.price_synced_version, variant.price_refused_version,"
    " variant.sent_price_version)"
)
SENDABLE = f"({_SENDABLE_QUANTITY} or {_SENDABLE_PRICE})"
LANE_ORDER = f"case when {_SENDABLE_QUANTITY} then least(variant.quantity, 1) else 2 end"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one listing's two parts."""

    quantity: Step
    price: Step
    lane: Lane

    @property
    def sends(self) -> bool:
        return self.lane is not Lane.NOTHING


def plan(variant: Variant) -> Plan:
    """What to do with a linked, unpaused listing. One whose last write has an unknown outcome is read first."""
    if variant.write_state in ("sending", "unknown"):
        return Plan("none", "none", Lane.NOTHING)
    quantity, price = _quantity_step(variant), _price_step(variant)
    if quantity == "send" and variant.quantity == 0:
        # Alone: nothing that Amazon may mind about a price may keep the zero from going out.
        return Plan(quantity, "none" if price == "send" else price, Lane.STOP_SELL)
    if quantity == "send":
        return Plan(quantity, price, Lane.QUANTITY)
    return Plan(quantity, price, Lane.PRICE if price == "send" else Lane.NOTHING)


def is_dirty(variant: Variant) -> bool:
    """Whether Amazon is not yet known to show what is desired (and has not refused it)."""
    return _is_behind(
        variant.quantity_version, variant.quantity_synced_version, variant.quantity_refused_version
    ) or _is_behind(variant.price_version, variant.price_synced_version, variant.price_refused_version)


def is_fulfilled_by_amazon(fulfillment_channel_code: str | None) -> bool:
    """FBA channels are `AMAZON_*`; they take no quantity of ours (FACTS 5.3.5, MISSION B4)."""
    return fulfillment_channel_code is not None and fulfillment_channel_code != MERCHANT_FULFILLED


def _is_behind(version: int, synced: int, refused: int) -> bool:
    return version > max(synced, refused)


def _quantity_step(variant: Variant) -> Step:
    if not _is_behind(variant.quantity_version, variant.quantity_synced_version, variant.quantity_refused_version):
        return "none"
    if is_fulfilled_by_amazon(variant.fulfillment_channel_code):
        return "settle"
    if variant.sent_quantity_version is not None:
        same = variant.quantity == variant.sent_quantity
        return _beside_open(variant.quantity_version, variant.sent_quantity_version, same)
    return "settle" if variant.quantity == variant.amazon_quantity else "send"


def _price_step(variant: Variant) -> Step:
    if not _is_behind(variant.price_version, variant.price_synced_version, variant.price_refused_version):
        return "none"
    if variant.sent_price_version is not None:
        return _beside_open(variant.price_version, variant.sent_price_version, variant.price == variant.sent_price)
    shown = (variant.amazon_price, variant.amazon_currency)
    return "settle" if (variant.price, variant.currency) == shown else "send"


def _beside_open(version: int, sent_version: int, same_value: bool) -> Step:
    if version == sent_version:
        return "none"
    return "adopt" if same_value else "send"
