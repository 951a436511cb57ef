"""What the HTTP API takes and answers, except stock rows, which `stock_rows` checks one by one."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import Field, StringConstraints, WithJsonSchema

from common.moments import Moment
from common.schemas import Answer, Body, Flag, Name, Sku, Values, Whole

SourceKind = Literal["supplier", "warehouse", "3pl"]
Rule = Annotated[str, StringConstraints(min_length=1, max_length=50)]
Priority = Annotated[Whole, Field(ge=0, le=1_000_000, description="the lower one is asked first")]
Policies = Annotated[list[Name], Field(max_length=200, description="shipping policies it supports; empty = all")]


class NewSource(Body):
    """A place that can fulfil orders; it starts without an attestation."""

    name: Name
    kind: SourceKind
    priority: Priority = 100
    shipping_policies: Policies = Field(default_factory=list)
    enabled: Flag = True


class SourceChanges(Body):
    """Only the fields that are given change."""

    name: Name | None = None
    kind: SourceKind | None = None
    priority: Priority | None = None
    shipping_policies: Policies | None = None
    enabled: Flag | None = None


class SourceAnswer(Answer):
    """A source; `compliant` is the toggle *Compliance with Amazon Services Business Solutions Agreement*."""

    id: UUID
    name: str
    kind: str = Values(*get_args(SourceKind), description="what it is")
    priority: int
    shipping_policies: list[str]
    enabled: bool
    compliant: bool
    attestation_version: int
    attested_until: datetime | None
    created_at: datetime
    updated_at: datetime


class AttestationGiven(Body):
    """Who attests to which version of the agreement; optionally the document's SHA-256 and until when it holds."""

    agreement_version: Name
    attested_by: Name
    document_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hex")] | None = None
    expires_at: Moment | None = None


class AttestationWithdrawn(Body):
    """Who withdraws it."""

    withdrawn_by: Name


class AttestationAnswer(Answer):
    """One line of the history."""

    source_id: UUID
    version: int
    action: str = Values("given", "withdrawn", "expired", description="what was done")
    by_whom: str
    recorded_by: str
    agreement: str
    agreement_version: str | None
    document_hash: str | None
    expires_at: datetime | None
    recorded_at: datetime


class ExpiringAttestationAnswer(Answer):
    """An attestation that runs out; `days_left` are whole days."""

    source_id: UUID
    source_name: str
    attestation_version: int
    attested_until: datetime
    days_left: int


class BulkAttestation(Body):
    """The same attestation, or the same withdrawal, for many sources."""

    source_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]
    attestation: AttestationGiven | None = None
    withdrawal: AttestationWithdrawn | None = None


class RefusedAnswer(Answer):
    """Why one of many was refused."""

    code: str = Field(description="stable, for programs; more may be added")
    detail: str
    fix: str


class BulkAttestationResultAnswer(Answer):
    """What became of one source; `error` when nothing was recorded."""

    source_id: UUID
    attestation_version: int | None = None
    compliant: bool | None = None
    error: RefusedAnswer | None = None


class BulkAttestationAnswer(Answer):
    """A result for each source, in the order asked."""

    results: list[BulkAttestationResultAnswer]


# What `stock_rows.StockRow` takes; read one by one, so that a bad row does not take the good ones with it.
_STOCK_ROW: dict[str, Any] = {
    "type": "object",
    "title": "StockRow",
    "description": "A SKU's quantity at a source, and when that was true (now, when not given).",
    "required": ["sku", "quantity"],
    "additionalProperties": False,
    "properties": {
        "sku": {"type": "string", "minLength": 1, "maxLength": 40},
        "quantity": {"type": "integer", "minimum": 0, "maximum": 2_147_483_647},
        "cost": {
            "type": ["object", "null"],
            "required": ["amount", "currency"],
            "additionalProperties": False,
            "properties": {
                "amount": {"type": "string", "pattern": r"^\d{1,14}(\.\d{1,4})?$", "maxLength": 20},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
        },
        "as_of": {"type": ["string", "null"], "format": "date-time"},
    },
}


class InventoryPage(Body):
    """Rows of stock; each is checked for itself."""

    one_by_one = frozenset({"rows"})

    rows: Annotated[
        list[Any],
        Field(min_length=1, max_length=5000),
        WithJsonSchema({"type": "array", "minItems": 1, "maxItems": 5000, "items": _STOCK_ROW}),
    ]


class RowErrorAnswer(Answer):
    """A row that was not taken: `row` counts from 0; `line` is the line of the file it begins at, from 1."""

    row: int
    line: int | None = None
    sku: str | None
    code: str
    detail: str
    fix: str


class InventoryResultAnswer(Answer):
    """`outdated` rows were true before what is stored (or stand twice in the page) and changed nothing."""

    created: int = 0
    updated: int = 0
    outdated: int = 0
    failed: int = 0
    errors: list[RowErrorAnswer] = Field(default_factory=list)


class UploadAnswer(InventoryResultAnswer):
    """How far a CSV file has come. `status`: receiving, stored, refused (with the `problem`), broken (the sender left).

    Counts are of what is stored already; `bytes_total` is known when the sender said it.
    """

    upload_id: UUID
    source_id: UUID
    status: str = Values("receiving", "stored", "refused", "broken", description="how far it is")
    bytes_read: int
    bytes_total: int | None
    problem: str | None
    started_at: datetime
    updated_at: datetime


class MoneyAnswer(Answer):
    """An amount in an ISO 4217 currency."""

    amount: Decimal
    currency: str


class StockAnswer(Answer):
    """What a source has of a SKU; `available` is what reservations leave of `quantity`."""

    sku: str
    quantity: int
    available: int
    cost: MoneyAnswer | None
    as_of: datetime


class InventoryRejectionAnswer(Answer):
    """A `SourceInventoryChanged` that was not taken."""

    event_id: UUID
    source_id: UUID
    sku: str
    code: str
    detail: str
    received_at: datetime


class Lookup(Body):
    """SKUs to look for, compared byte for byte."""

    skus: Annotated[list[Sku], Field(min_length=1, max_length=5000)]


class SkuAtSourceAnswer(Answer):
    """What one source has of a SKU."""

    source_id: UUID
    source_name: str
    quantity: int
    available: int


class SkuFoundAnswer(Answer):
    """A SKU and the sources that have it."""

    sku: str
    sources: list[SkuAtSourceAnswer]


class LookupAnswer(Answer):
    """Which of the SKUs exist in source inventory and where, and which do not."""

    found: list[SkuFoundAnswer]
    missing: list[str]


class RoutingGroupChanges(Body):
    """How a channel routes. `source_ids` empty = all sources of the account."""

    source_ids: Annotated[list[UUID], Field(max_length=1000)] = Field(default_factory=list)
    priorities: Annotated[list[Rule], Field(max_length=20)] | None = None
    allow_split: Flag = True


class RoutingGroupAnswer(Answer):
    """How a channel's orders find their sources."""

    channel_id: UUID
    source_ids: list[UUID]
    priorities: list[str]
    allow_split: bool


class EligibilityAnswer(Answer):
    """Whether a source may ship orders of a kind of channel bought at a time, and why not."""

    source_id: UUID
    source_name: str
    eligible: bool
    reasons: list[str] = Values("disabled", "not_compliant", description="why it may not")


class HeldOrderAnswer(Answer):
    """An order that waits."""

    selling_partner_id: str
    amazon_order_id: str
    purchased_at: datetime
    ship_by: datetime | None
    code: str


class NonCompliantSourceAnswer(Answer):
    """A source without a valid attestation, and the held orders it has goods for; the oldest 100 are listed."""

    source_id: UUID
    source_name: str
    kind: str
    attestation_version: int
    held_orders: int
    orders: list[HeldOrderAnswer]
