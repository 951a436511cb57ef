"""What the listings API takes and answers."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, WithJsonSchema

from common.schemas import Answer, Body, Flag, Values, Whole
from listings_service.checks import LARGEST_QUANTITY, LONGEST_TITLE, in_minor_units
from listings_service.lifecycle import Health, Intent, Link
from listings_service.models import InventoryRejection

LARGEST_PAGE = 1000

Operation = Literal["link", "sync"]
Title = Annotated[str, StringConstraints(max_length=LONGEST_TITLE)]


class Price(Body):
    """An amount in an ISO 4217 currency; the amount is a string with the currency's decimals."""

    amount: Decimal
    currency: str


class FigureRow(Body):
    """One listing by channel and SKU, with what to change. Fields left out stay as they are."""

    channel_id: UUID
    sku: str
    quantity: int | None = None
    price: Annotated[
        Price | None,
        WithJsonSchema(
            {
                "type": ["object", "null"],
                "properties": {"amount": {"type": "string", "format": "decimal"}, "currency": {"type": "string"}},
                "required": ["amount", "currency"],
            }
        ),
    ] = None
    as_of: AwareDatetime | None = Field(default=None, description="when this was true; now, when left out")


class ListingRow(FigureRow):
    """One listing to create or update; `parent_sku` groups variants, the SKU itself when left out."""

    title: str | None = None
    parent_sku: str | None = None


def _rows_of(row: type[Body]) -> WithJsonSchema:
    # Rows are read one by one, so that a bad one does not take the good ones with it; the document shows their shape.
    return WithJsonSchema({"type": "array", "maxItems": LARGEST_PAGE, "items": row.model_json_schema()})


class ListingRows(Body):
    """Up to 1000 listings."""

    one_by_one = frozenset({"listings"})

    listings: Annotated[list[Any], Field(max_length=LARGEST_PAGE), _rows_of(ListingRow)]


class FigureRows(Body):
    """Up to 1000 price and quantity changes of listings that exist."""

    one_by_one = frozenset({"changes"})

    changes: Annotated[list[Any], Field(max_length=LARGEST_PAGE), _rows_of(FigureRow)]


class RowErrorAnswer(Answer):
    """A row that was not applied: its position (from 0; CSV: the record below the header, and the line of the file it
    begins at, from 1), why, and what to do."""

    row: int
    line: int | None = None
    sku: str | None = None
    code: str
    detail: str
    fix: str


class RowResultsAnswer(Answer):
    """What became of the rows: all that are in no error were applied."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[RowErrorAnswer] = Field(default=[])


class Selection(Body):
    """Listings by id."""

    listing_ids: Annotated[list[UUID], Field(min_length=1, max_length=LARGEST_PAGE)]


class SelectionErrorAnswer(Answer):
    """A listing that the action does not apply to."""

    listing_id: UUID
    code: str
    detail: str
    fix: str


class SelectionResultsAnswer(Answer):
    """What became of the selection; `operation_run_ids` are runs it started."""

    changed: int = 0
    unchanged: int = 0
    errors: list[SelectionErrorAnswer] = Field(default=[])
    operation_run_ids: list[UUID] = Field(default=[])


class ListingChanges(Body):
    """Changes of one listing; fields left out stay."""

    title: Title | None = None
    quantity: Annotated[Whole, Field(ge=0, le=LARGEST_QUANTITY)] | None = None
    price: Price | None = None
    paused: Flag | None = None


class PriceAnswer(Answer):
    """An amount in an ISO 4217 currency."""

    amount: Decimal
    currency: str


class ListingErrorAnswer(Answer):
    """What Amazon last refused, or showed differently. `part`: which part of the listing it is about."""

    code: str = Field(description="stable, for programs; more may be added")
    detail: str
    at: datetime
    part: str | None = None


class AmazonListingAnswer(Answer):
    """What Amazon showed when it was last read; a null quantity or price is not known."""

    asin: str | None
    product_type: str | None
    fulfillment_channel_code: str | None
    quantity: int | None
    price: PriceAnswer | None
    read_at: datetime | None


class OpenWriteAnswer(Answer):
    """A write that Amazon does not show yet."""

    state: str
    sent_at: datetime | None
    quantity: int | None
    price: PriceAnswer | None
    read_backs: int
    read_back_at: datetime | None


class ListingAnswer(Answer):
    """One listing variant with its parent's title; states are separate on purpose (MISSION B)."""

    id: UUID
    channel_id: UUID
    connection_id: UUID
    parent_id: UUID
    parent_sku: str
    sku: str
    title: str | None
    link: str = Values(*get_args(Link), description="whether it is bound to a listing at Amazon")
    health: str = Values(*get_args(Health), description="what Amazon shows")
    paused: bool
    intent: str = Values(*get_args(Intent), description="what is being done to it")
    last_error: ListingErrorAnswer | None
    quantity: int | None
    quantity_as_of: datetime | None
    price: PriceAnswer | None
    price_as_of: datetime | None
    dirty: bool
    amazon: AmazonListingAnswer
    open_write: OpenWriteAnswer | None


class RefusedPriceAnswer(Answer):
    """A price as the event said it, which may be why it was refused."""

    amount: str
    currency: str


class InventoryRejectionAnswer(Answer):
    """An `InventoryChanged` event that was refused."""

    id: int
    channel_id: UUID
    sku: str
    quantity: int | None
    price: RefusedPriceAnswer | None
    as_of: datetime
    code: str
    detail: str
    received_at: datetime


class ScheduleChanges(Body):
    """How often the operation runs."""

    every_seconds: Annotated[float, Field(ge=1, le=86_400)]


class ScheduleAnswer(Answer):
    """The schedule of one operation of the channel's connection; its channels share it."""

    connection_id: UUID
    operation: str
    every_seconds: float


class StartedOperation(Body):
    """`link` looks for a channel's listings at Amazon, `sync` sends what differs and reads it back."""

    operation: Operation
    channel_id: UUID


def listing_view(row: Mapping[str, Any]) -> ListingAnswer:
    """`row` has the columns of `selecting.LISTING`."""
    return ListingAnswer.model_validate(
        dict(row)
        | {
            "parent_id": row["listing_id"],
            "price": _price(row["price"], row["currency"]),
            "amazon": {
                "asin": row["asin"],
                "product_type": row["product_type"],
                "fulfillment_channel_code": row["fulfillment_channel_code"],
                "quantity": row["amazon_quantity"],
                "price": _price(row["amazon_price"], row["amazon_currency"]),
                "read_at": row["amazon_read_at"],
            },
            "open_write": None
            if row["write_state"] is None
            else {
                "state": row["write_state"],
                "sent_at": row["sent_at"],
                "quantity": row["sent_quantity"],
                "price": _price(row["sent_price"], row["currency"]),
                "read_backs": row["read_backs"],
                "read_back_at": row["read_back_at"],
            },
        }
    )


def _price(amount: Decimal | None, currency: str | None) -> dict[str, Any] | None:
    if amount is None or not currency:
        return None
    return {"amount": in_minor_units(amount, currency), "currency": currency}


def rejection_view(rejection: InventoryRejection) -> InventoryRejectionAnswer:
    price = None
    if rejection.amount is not None and rejection.currency is not None:
        price = {"amount": rejection.amount, "currency": rejection.currency}
    return InventoryRejectionAnswer.model_validate(rejection.model_dump() | {"price": price})
