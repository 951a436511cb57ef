"""What the HTTP API tells of decisions: those that were made, made again, or that would be made if."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from compliance_service.schemas import Body, OrderId, Policies, Priority, RoutingGroupBody, Sku


class RejectedAnswer(BaseModel):
    source_id: UUID
    source_name: str
    code: str
    detail: str


class AssignmentAnswer(BaseModel):
    source_id: UUID
    source_name: str
    order_item_id: str
    sku: str
    quantity: int


class AttestationThen(BaseModel):
    """The newest line of a source's attestation history that a decision knew of; `action` never: it had none."""

    source_id: UUID
    source_name: str
    version: int
    action: str
    by_whom: str | None = None
    recorded_by: str | None = None
    agreement: str | None = None
    agreement_version: str | None = None
    document_hash: str | None = None
    expires_at: datetime | None = None
    recorded_at: datetime | None = None


class DecisionAnswer(BaseModel):
    """One decision with all that it was based on; `inputs.stock` names sources by their position in `sources`.

    `agreement` is the one that bound the order, null when none did; `attestations` are those of the sources that were
    chosen and of those that were rejected for want of one, as they stood.
    """

    decision_version: int
    order_version: int
    outcome: str
    cause: str
    code: str | None
    detail: str
    decided_at: datetime
    plan: list[AssignmentAnswer]
    rejected: list[RejectedAnswer]
    agreement: str | None
    attestations: list[AttestationThen]
    inputs: dict[str, Any]
    sources: list[dict[str, Any]]


class ReservationAnswer(BaseModel):
    """What became of units that a decision reserved: held, released, refused, killed, or shipped with a shipment.

    Units that left without a decision are shipped, too; the source is the nil UUID when nobody knows from where."""

    decision_version: int
    source_id: UUID
    source_name: str
    order_item_id: str
    sku: str
    quantity: int
    state: str
    reserved_at: datetime
    closed_at: datetime | None
    shipment_id: UUID | None


class ShippedAnswer(BaseModel):
    """A parcel of one source, planned or not, and the newest line of the source's attestation history when it left.

    `without_attestation`: the agreement bound the order, and no attestation was in force at `shipped_at`, the moment
    at which the shipment was taken.
    """

    shipment_id: UUID | None
    shipped_at: datetime
    agreement: str | None
    without_attestation: bool
    attestation: AttestationThen


class OrderDecisions(BaseModel):
    """Where an order's routing stands, what became of its units, and every decision, newest first."""

    selling_partner_id: str
    amazon_order_id: str
    channel_id: UUID | None
    channel_type: str
    marketplace_id: str
    status: str
    purchased_at: datetime
    ship_by: datetime | None
    shipping_policy: str | None
    state: str
    order_version: int
    order_holds: list[str]
    reservations: list[ReservationAnswer]
    shipped: list[ShippedAnswer]
    latest: DecisionAnswer | None
    history: list[DecisionAnswer]


class SourceForOrder(BaseModel):
    """What a source is to an order now. `eligible`: nothing but rank and quantity stands between them."""

    source_id: UUID
    source_name: str
    eligible: bool
    code: str
    detail: str


class OrderEligibility(BaseModel):
    """Which sources may ship an order if it were decided now, and what the decision would be.

    `outcome`: routed, held, or not_routed when the order's state lets nobody ship it; then there are no `sources`.
    """

    selling_partner_id: str
    amazon_order_id: str
    agreement: str | None
    outcome: str
    code: str | None
    detail: str
    sources: list[SourceForOrder]


class SupposedCost(Body):
    amount: Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class SupposedStock(Body):
    """A source would have so many units of a SKU free."""

    source_id: UUID
    sku: Sku
    available: Annotated[int, Field(ge=0, le=2_147_483_647)]
    cost: SupposedCost | None = None


class SupposedSource(Body):
    """A source would be like this; what is not given stays as it is."""

    source_id: UUID
    compliant: bool | None = None
    enabled: bool | None = None
    priority: Priority | None = None
    shipping_policies: Policies | None = None


class WhatIf(Body):
    """What would be different. `routing_group` stands in for every channel's."""

    stock: Annotated[list[SupposedStock], Field(max_length=5000)] = Field(default_factory=list)
    sources: Annotated[list[SupposedSource], Field(max_length=1000)] = Field(default_factory=list)
    routing_group: RoutingGroupBody | None = None


class WhatIfHeld(WhatIf):
    """The same, about many orders: those named, or the oldest held ones."""

    amazon_order_ids: Annotated[list[OrderId], Field(min_length=1, max_length=1000)] | None = None


class Outcome(BaseModel):
    """A decision that is not made: routed with its plan, or held with the code and why; not_routed, again with code and
    why, when the order's state leaves nothing to decide."""

    outcome: str
    code: str | None
    detail: str
    plan: list[AssignmentAnswer]


class Difference(BaseModel):
    """An order decided as things are, and as they would be."""

    selling_partner_id: str
    amazon_order_id: str
    changed: bool
    now: Outcome
    then: Outcome


class WhatIfAnswer(BaseModel):
    """How many orders were looked at and would change; `differences` are those that would. `more`: others are held."""

    orders: int
    changed: int
    freed: int
    newly_held: int
    more: bool
    differences: list[Difference]


class ReplayedDecision(BaseModel):
    """A stored decision taken again from what it saw; `again` is the other answer when it is not the same."""

    decision_version: int
    same: bool
    again: Outcome | None = None


class ReplayAnswer(BaseModel):
    """Whether every decision of an order comes out the same, newest first."""

    selling_partner_id: str
    amazon_order_id: str
    same: bool
    decisions: list[ReplayedDecision]
