"""Values that several of Amazon's answers share: money, instants, and structs whose repr must stay empty."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Quantity = Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]

# Beyond any price; Decimal would also read "1e999999999" and "NaN", which no column can hold.
_LARGEST_AMOUNT = Decimal(10) ** 15


class Money(msgspec.Struct, frozen=True, rename="camel"):
    """An amount in an ISO 4217 currency. Amazon writes the amount as a string or a number (FACTS 5.3.6)."""

    amount: Decimal
    currency_code: str

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or abs(self.amount) > _LARGEST_AMOUNT:
            raise ValueError("no amount of money")


class Shape(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the structs that mirror Amazon's: camelCase on the wire, unknown fields ignored."""


class Personal(Shape, frozen=True):
    """Base of structs with a buyer's data: their repr shows none of it, wherever a traceback or log prints them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


def wire_time(moment: datetime) -> str:
    """An instant as Amazon takes it in queries and bodies: UTC with milliseconds (FACTS 8.2.5)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
