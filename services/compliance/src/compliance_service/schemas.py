"""What the HTTP API takes and answers, except stock rows, which `stock_rows` checks one by one."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.moments import Moment

SourceKind = Literal["supplier", "warehouse", "3pl"]
# PostgreSQL's text holds every character but NUL.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Sku = Annotated[str, Field(min_length=1, max_length=40)]
OrderId = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00]+$")]
Priority = Annotated[int, Field(ge=0, le=1_000_000, description="the lower one is asked first")]
Policies = Annotated[list[Text], Field(max_length=200, description="shipping policies it supports; empty = all")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewSource(Body):
    """A place that can fulfil orders; it starts without an attestation."""

    name: Text
    kind: SourceKind
    priority: Priority = 100
    shipping_policies: Policies = Field(default_factory=list)
    enabled: bool = True


class SourcePatch(Body):
    """Only the fields that are given change."""

    name: Text | None = None
    kind: SourceKind | None = None
    priority: Priority | None = None
    shipping_policies: Policies | None = None
    enabled: bool | None = None


class SourceAnswer(BaseModel):
    """A source; `compliant` is the toggle *Compliance with Amazon Services Business Solutions Agreement*."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    kind: str
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

    agreement_version: Text
    attested_by: Text
    document_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hex")] | None = None
    expires_at: Moment | None = None


class AttestationWithdrawn(Body):
    """Who withdraws it."""

    withdrawn_by: Text


class AttestationAnswer(BaseModel):
    """One line of the history."""

    model_config = ConfigDict(from_attributes=True)

    source_id: UUID
    version: int
    action: str
    by_whom: str
    recorded_by: str
    agreement: str
    agreement_version: str | None
    document_hash: str | None
    expires_at: datetime | None
    recorded_at: datetime


class ExpiringAttestation(BaseModel):
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


class BulkAttestationResult(BaseModel):
    """What became of one source; `error` is {code, what, fix} when nothing was recorded."""

    source_id: UUID
    attestation_version: int | None = None
    compliant: bool | None = None
    error: dict[str, str] | None = None


class BulkAttestationAnswer(BaseModel):
    """A result for each source, in the order asked."""

    results: list[BulkAttestationResult]


class InventoryPage(Body):
    """Rows of {sku, quantity, cost? {amount, currency}, as_of?}; each is checked for itself."""

    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=5000)]


class RowError(BaseModel):
    """A row that was not taken: `row` counts from 0; `line` is the line of the file it begins at, from 1."""

    row: int
    line: int | None = None
    sku: str | None
    code: str
    what: str
    fix: str


class InventoryResult(BaseModel):
    """`outdated` rows were true before what is stored (or stand twice in the page) and changed nothing."""

    created: int = 0
    updated: int = 0
    outdated: int = 0
    failed: int = 0
    errors: list[RowError] = Field(default_factory=list)


class UploadAnswer(InventoryResult):
    """How far a CSV file has come. `status`: receiving, stored, refused (with the `problem`), broken (the sender left).

    Counts are of what is stored already; `bytes_total` is known when the sender said it.
    """

    upload_id: UUID
    source_id: UUID
    status: str
    bytes_read: int
    bytes_total: int | None
    problem: str | None
    started_at: datetime
    updated_at: datetime


class MoneyAnswer(BaseModel):
    amount: Decimal
    currency: str


class StockAnswer(BaseModel):
    """What a source has of a SKU; `available` is what reservations leave of `quantity`."""

    sku: str
    quantity: int
    available: int
    cost: MoneyAnswer | None
    as_of: datetime


class StockRejectionAnswer(BaseModel):
    """A `SourceInventoryChanged` that was not taken."""

    model_config = ConfigDict(from_attributes=True)

    event_id: UUID
    source_id: UUID
    sku: str
    code: str
    detail: str
    received_at: datetime


class Lookup(Body):
    """SKUs to look for, compared byte for byte."""

    skus: Annotated[list[Sku], Field(min_length=1, max_length=5000)]


class SkuAtSource(BaseModel):
    source_id: UUID
    source_name: str
    quantity: int
    available: int


class SkuFound(BaseModel):
    sku: str
    sources: list[SkuAtSource]


class LookupAnswer(BaseModel):
    """Which of the SKUs exist in source inventory and where, and which do not."""

    found: list[SkuFound]
    missing: list[str]


class RoutingGroupBody(Body):
    """How a channel routes. `source_ids` empty = all sources of the account."""

    source_ids: Annotated[list[UUID], Field(max_length=1000)] = Field(default_factory=list)
    priorities: Annotated[list[str], Field(max_length=20)] | None = None
    allow_split: bool = True


class RoutingGroupAnswer(BaseModel):
    channel_id: UUID
    source_ids: list[UUID]
    priorities: list[str]
    allow_split: bool


class EligibilityAnswer(BaseModel):
    """Whether a source may ship orders of a kind of channel bought at a time, and why not."""

    source_id: UUID
    source_name: str
    eligible: bool
    reasons: list[str]


class HeldOrder(BaseModel):
    selling_partner_id: str
    amazon_order_id: str
    purchased_at: datetime
    ship_by: datetime | None
    code: str


class NonCompliantSource(BaseModel):
    """A source without a valid attestation, and the held orders it has goods for; the oldest 100 are listed."""

    source_id: UUID
    source_name: str
    kind: str
    attestation_version: int
    held_orders: int
    orders: list[HeldOrder]
