"""What the listings API takes and answers."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from common.jobs import OperationRun
from listings_service.checks import in_minor_units
from listings_service.models import InventoryRejection

LARGEST_PAGE = 1000

Operation = Literal["link", "sync"]


class Price(BaseModel):
    """An amount in an ISO 4217 currency; the amount is a string with the currency's decimals."""

    model_config = ConfigDict(extra="forbid")

    amount: Decimal
    currency: str


class FigureRow(BaseModel):
    """One listing by channel and SKU, with what to change. Fields left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

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


def _rows_of(row: type[BaseModel]) -> WithJsonSchema:
    # Rows are read one by one, so that a bad one does not take the good ones with it; the document shows their shape.
    return WithJsonSchema({"type": "array", "maxItems": LARGEST_PAGE, "items": row.model_json_schema()})


class UpsertRequest(BaseModel):
    """Up to 1000 listings."""

    listings: Annotated[list[Any], Field(max_length=LARGEST_PAGE), _rows_of(ListingRow)]


class ChangesRequest(BaseModel):
    """Up to 1000 price and quantity changes of listings that exist."""

    changes: Annotated[list[Any], Field(max_length=LARGEST_PAGE), _rows_of(FigureRow)]


class RowError(BaseModel):
    """A row that was not applied: its position (from 0; CSV: the record below the header, and the line of the file it
    begins at, from 1), why, and what to do."""

    row: int
    line: int | None = None
    sku: str | None = None
    code: str
    what: str
    fix: str


class RowResults(BaseModel):
    """What became of the rows: all that are in no error were applied."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[RowError] = []


class SelectionRequest(BaseModel):
    """Listings by id."""

    listing_ids: Annotated[list[UUID], Field(min_length=1, max_length=LARGEST_PAGE)]


class SelectionError(BaseModel):
    """A listing that the action does not apply to."""

    listing_id: UUID
    code: str
    what: str
    fix: str


class SelectionResults(BaseModel):
    """What became of the selection; `operation_run_ids` are runs it started."""

    changed: int = 0
    unchanged: int = 0
    errors: list[SelectionError] = []
    operation_run_ids: list[UUID] = []


class ListingPatch(BaseModel):
    """Changes of one listing; fields left out stay."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    quantity: int | None = None
    price: Price | None = None
    paused: bool | None = None


class AmazonView(BaseModel):
    """What Amazon showed when it was last read; a null quantity or price is not known."""

    asin: str | None
    product_type: str | None
    fulfillment_channel_code: str | None
    quantity: int | None
    price: Price | None
    read_at: datetime | None


class WriteView(BaseModel):
    """A write that Amazon does not show yet."""

    state: str
    sent_at: datetime | None
    quantity: int | None
    price: Price | None
    read_backs: int
    read_back_at: datetime | None


class ListingView(BaseModel):
    """One listing variant with its parent's title; states are separate on purpose (MISSION B)."""

    id: UUID
    channel_id: UUID
    connection_id: UUID
    parent_id: UUID
    parent_sku: str
    sku: str
    title: str | None
    link: str
    health: str
    paused: bool
    intent: str
    last_error: dict[str, Any] | None
    quantity: int | None
    quantity_as_of: datetime | None
    price: Price | None
    price_as_of: datetime | None
    dirty: bool
    amazon: AmazonView
    open_write: WriteView | None


class RejectionView(BaseModel):
    """An `InventoryChanged` event that was refused."""

    id: int
    channel_id: UUID
    sku: str
    quantity: int | None
    price: dict[str, str] | None
    as_of: datetime
    code: str
    what: str
    received_at: datetime


class ScheduleRequest(BaseModel):
    """How often the operation runs."""

    every_seconds: Annotated[float, Field(ge=1, le=86_400)]


class ScheduleView(BaseModel):
    """The schedule of one operation of the channel's connection; its channels share it."""

    connection_id: UUID
    operation: str
    every_seconds: float


class RunView(BaseModel):
    """One operation run: who asked, how far it is, what it counted and what went wrong (first hundred).

    `waits_for` (code, detail, fix) is why a queued run is not going on before somebody does something.
    """

    id: UUID
    connection_id: UUID
    channel_id: UUID | None
    operation: str
    requested_by: str
    status: str
    progress: float
    counts: dict[str, int]
    errors: list[dict[str, Any]]
    waits_for: dict[str, Any] | None = None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def listing_view(row: Mapping[str, Any]) -> ListingView:
    """`row` has the columns of `selecting.LISTING`."""
    return ListingView.model_validate(
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


def rejection_view(rejection: InventoryRejection) -> RejectionView:
    price = None
    if rejection.amount is not None and rejection.currency is not None:
        price = {"amount": rejection.amount, "currency": rejection.currency}
    return RejectionView.model_validate(rejection.model_dump() | {"price": price})


def run_view(run: OperationRun) -> RunView:
    return RunView.model_validate(run.model_dump())
