"""What a listing may say before Amazon ever hears of it: SKU, quantity and price. Pure: no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from babel.numbers import get_currency_precision

from common.amazon.marketplaces import marketplace
from common.moments import moment_problem

LONGEST_SKU = 40  # Amazon's ceiling, in characters
LONGEST_TITLE = 2000
LARGEST_QUANTITY = 2_147_483_647
_LARGEST_AMOUNT = Decimal(10) ** 14  # numeric(18, 4)
# Clocks of other systems may be wrong by this much (RELIABILITY F15); more would shut out every later figure.
_SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a figure was refused: a stable code, the explanation and what to do."""

    code: str
    what: str
    fix: str


UNKNOWN_CHANNEL = Fault("unknown-channel", "no such channel in this account", "Create the channel first, or use its id")
UNKNOWN_SKU = Fault("unknown-sku", "the channel has no listing with this SKU", "Create the listing first")


def sku_fault(sku: str) -> Fault | None:
    """1 to 40 characters that a database and a path can carry (MISSION rulings, edge 16)."""
    if not sku:
        return Fault("sku-missing", "the SKU is empty", "Give a SKU of 1 to 40 characters")
    if len(sku) > LONGEST_SKU:
        return Fault("sku-too-long", f"the SKU has {len(sku)} characters", "Amazon takes at most 40")
    return text_fault(sku, "SKU")


def text_fault(value: str, name: str) -> Fault | None:
    """Refuses what no text column can hold: NUL and halves of a surrogate pair."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        return Fault("invalid-text", f"the {name} has characters that are no text", f"Remove them from the {name}")
    return None


def quantity_fault(quantity: int) -> Fault | None:
    if quantity < 0:
        return Fault("negative-quantity", f"the quantity is {quantity}", "0 is the least: it stops selling")
    if quantity > LARGEST_QUANTITY:
        return Fault("quantity-too-large", "the quantity is too large", f"At most {LARGEST_QUANTITY}")
    return None


def price_fault(amount: Decimal, currency: str, marketplace_id: str) -> Fault | None:
    """A price is above 0, in the marketplace's currency, with no more decimals than the currency has (C11)."""
    expected = marketplace(marketplace_id).currency
    if currency != expected:
        return Fault("wrong-currency", f"the currency is not {expected}", f"Prices of this channel are in {expected}")
    if not amount.is_finite() or not 0 < amount < _LARGEST_AMOUNT:
        return Fault("price-out-of-range", "the price must be above 0", "Give the price a buyer pays, tax included")
    digits = get_currency_precision(expected)
    if amount != round(amount, digits):
        return Fault("too-many-decimals", f"{expected} has {digits} decimals", f"Round the price to {digits} decimals")
    return None


def as_of_fault(as_of: datetime, now: datetime) -> Fault | None:
    """A figure from the future would win over every later one; one from before all calendars no column holds."""
    if as_of.tzinfo is not None and as_of > now + _SKEW:
        return Fault("as-of-in-future", "`as_of` lies in the future", "Say when the figure was true, in UTC")
    if problem := moment_problem(as_of):
        return Fault("as-of-invalid", f"`as_of`: {problem}", "Say when the figure was true, in UTC")
    return None


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """The amount with exactly the currency's decimals, as people and events are shown it."""
    return round(amount, get_currency_precision(currency))
