"""Values that several of Amazon's answers share: ids, money, instants, and structs whose repr must stay empty.

What a column, an index or an event could not hold is refused here, where it is still one item of a page."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from babel.numbers import list_currencies

from common.moments import moment_problem

Quantity = Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]

# Amazon's own ids are shorter and of these characters; they become keys, paths and parts of indexes.
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[!-~]+\Z")]

# What `numeric(18, 4)` holds, however it is rounded; Decimal would also read "1e999999999" and "NaN".
_LARGEST_AMOUNT = Decimal(10) ** 14 - 1
_CURRENCIES = frozenset(list_currencies())


class Money(msgspec.Struct, frozen=True, rename="camel"):
    """An amount in an ISO 4217 currency. Amazon writes the amount as a string or a number (FACTS 5.3.6)."""

    amount: Decimal
    currency_code: str

    def __post_init__(self) -> None:
        # Compared, not computed with: `abs` of 1e999999999 overflows.
        if not self.amount.is_finite() or not -_LARGEST_AMOUNT <= self.amount <= _LARGEST_AMOUNT:
            raise ValueError("no amount of money")
        if self.currency_code not in _CURRENCIES:
            raise ValueError("no currency of ISO 4217")


class Shape(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the structs that mirror Amazon's: camelCase on the wire, unknown fields ignored."""


class Personal(Shape, frozen=True):
    """Base of structs with a buyer's data: their repr shows none of it, wherever a traceback or log prints them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


def refuse_odd_moments(*moments: datetime | None) -> None:
    """Raises ValueError for a time at the edge of the calendar, which has no UTC."""
    for moment in moments:
        if moment is not None and (problem := moment_problem(moment)):
            raise ValueError(f"a time that cannot be kept: {problem}")


def place_of_nul(value: object, place: str = "$") -> str | None:
    """Where in a decoded answer a text holds U+0000, which PostgreSQL keeps in no text; None when nowhere."""
    if isinstance(value, str):
        return place if "\x00" in value else None
    if isinstance(value, dict):
        inner = [(item, f"{place}.{name}") for name, item in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(item, f"{place}[{position}]") for position, item in enumerate(value)]
    else:
        return None
    return next((found for item, where in inner if (found := place_of_nul(item, where))), None)


def wire_time(moment: datetime) -> str:
    """An instant as Amazon takes it in queries and bodies: UTC with milliseconds (FACTS 8.2.5)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
