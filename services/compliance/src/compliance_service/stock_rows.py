"""What a stock row must be (pure): checked one by one, so that a bad row never takes the good ones with it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision, is_currency
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from common.contracts.event import Quantity
from common.moments import Moment
from common.texts import text_problem
from compliance_service.schemas import RowErrorAnswer

# How far a source's clock may run ahead of ours: a count from the far future would bar every later one.
CLOCK_SKEW = timedelta(minutes=10)
_LARGEST_COST = Decimal(10) ** 14
_SKU_LENGTH = 40


class Cost(BaseModel):
    """What one unit costs at the source, exact to the currency's minor units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: Decimal
    currency: str

    @model_validator(mode="after")
    def _is_money(self) -> "Cost":
        if problem := cost_problem(self.amount, self.currency):
            raise PydanticCustomError("cost_invalid", "{problem}", {"problem": problem})
        return self


def cost_problem(amount: Decimal, currency: str) -> str | None:
    """What is wrong with a cost; None when it is an amount of money that can be kept."""
    if not is_currency(currency):
        return "the currency is no ISO 4217 code"
    if not amount.is_finite() or not 0 <= amount < _LARGEST_COST:
        return "the amount is below zero or absurdly large"
    precision = get_currency_precision(currency)
    exponent = amount.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > precision:
        return f"{currency} has {precision} decimals"
    return None


def sku_problem(sku: str) -> str | None:
    """What is wrong with a SKU; it is never trimmed or changed."""
    if not 1 <= len(sku) <= _SKU_LENGTH:
        return f"a SKU has 1 to {_SKU_LENGTH} characters"
    return f"the SKU {problem}" if (problem := text_problem(sku)) else None


class StockRow(BaseModel):
    """A SKU's quantity at a source, and when that was true (now, when not given)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: str
    quantity: Quantity
    cost: Cost | None = None
    as_of: Moment | None = None

    @field_validator("sku")
    @classmethod
    def _is_sku(cls, sku: str) -> str:
        if problem := sku_problem(sku):
            raise PydanticCustomError("sku_invalid", "{problem}", {"problem": problem})
        return sku


_FIXES: Mapping[str, str] = {
    "sku": "Send the SKU exactly as the listing has it",
    "quantity": "Send a whole number, 0 or more",
    "cost": "Send {amount, currency} with no more decimals than the currency has, or leave the cost out",
    "as_of": "Send an RFC 3339 time with offset that is not in the future, or leave it out",
}


def read_row(position: int, given: Any, now: datetime) -> StockRow | RowErrorAnswer:
    """The row, or what is wrong with it and how to fix it. `position` counts from 0."""
    try:
        row = StockRow.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "row"
        fix = _FIXES.get(where, "Send {sku, quantity, cost?, as_of?}")
        return RowErrorAnswer(
            row=position, sku=_sku_of(given), code=_code(where), detail=f"{where}: {first['msg']}", fix=fix
        )
    if in_future(row.as_of, now):
        return RowErrorAnswer(
            row=position, sku=row.sku, code="as-of-in-future", detail="as_of: is in the future", fix=_FIXES["as_of"]
        )
    return row


def in_future(as_of: datetime | None, now: datetime) -> bool:
    """Whether a count claims to be from the future, clocks' differences allowed."""
    return as_of is not None and as_of > now + CLOCK_SKEW


def _code(where: str) -> str:
    return f"{where.replace('_', '-')}-invalid" if where in _FIXES else "unknown-field"


def _sku_of(given: Any) -> str | None:
    sku = given.get("sku") if isinstance(given, Mapping) else None
    return sku[:200].encode("utf-8", "replace").decode() if isinstance(sku, str) else None
