"""What a statement ("sell 5", "it costs 9.99") changes of a listing's desired state. Pure: no I/O.

The newest `as_of` wins. A version moves only when the desired value really changes: only then is there a push.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(slots=True)
class Desired:
    """What a channel shall show. `stated_quantity` is what was said, `quantity` is that less what was sold since."""

    stated_quantity: int | None
    quantity: int | None
    quantity_as_of: datetime | None
    quantity_version: int
    price: Decimal | None
    currency: str | None
    price_as_of: datetime | None
    price_version: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A quantity, a price or both, and when they were true. None says nothing about that part."""

    as_of: datetime
    quantity: int | None = None
    price: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """Units of a listing that one order took and has not given back."""

    purchased_at: datetime
    quantity: int


def left_of(stated: int, as_of: datetime, sales: Iterable[Sale]) -> int:
    """A figure less the sales after it; sales before it are in it already (ARCHITECTURE, Stock)."""
    return max(0, stated - sum(sale.quantity for sale in sales if sale.purchased_at > as_of))


def state(desired: Desired, said: Statement, sales: Sequence[Sale]) -> bool:
    """Changes `desired` as said; answers whether a desired value is another one now."""
    changed = False
    if said.quantity is not None and not _older(said.as_of, desired.quantity_as_of):
        desired.stated_quantity, desired.quantity_as_of = said.quantity, said.as_of
        quantity = left_of(said.quantity, said.as_of, sales)
        if quantity != desired.quantity:
            desired.quantity = quantity
            desired.quantity_version += 1
            changed = True
    if said.price is not None and not _older(said.as_of, desired.price_as_of):
        desired.price_as_of = said.as_of
        if (said.price, said.currency) != (desired.price, desired.currency):
            desired.price, desired.currency = said.price, said.currency
            desired.price_version += 1
            changed = True
    return changed


def _older(as_of: datetime, known: datetime | None) -> bool:
    return known is not None and as_of < known
