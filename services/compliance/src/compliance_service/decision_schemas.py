"""What the HTTP API tells of decisions: those that were made, made again, or that would be made if."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.schemas import AmazonOrderId, Answer, Body, Flag, Sku, Values, Whole
from compliance_service.schemas import Policies, Priority, RoutingGroupChanges


class RejectedAnswer(Answer):
    """Why a source was not chosen."""

    source_id: UUID
    source_name: str
    code: str
    detail: str


class AssignmentAnswer(Answer):
    """Units that a source ships."""

    source_id: UUID
    source_name: str
    order_item_id: str
    sku: str
    quantity: int


class AttestationThenAnswer(Answer):
    """The newest line of a source's attestation history that a decision knew of; `action` never: it had none."""

    source_id: UUID
    source_name: str
    version: int
    action: str = Values("given", "withdrawn", "expired", "never", description="what was done")
    by_whom: str | None = None
    recorded_by: str | None = None
    agreement: str | None = None
    agreement_version: str | None = None
    document_hash: str | None = None
    expires_at: datetime | None = None
    recorded_at: datetime | None = None


class LineThenAnswer(Answer):
    """Units of an order item that needed a source."""

    order_item_id: str
    sku: str
    quantity: int


class OrderThenAnswer(Answer):
    """What a decision knew of the order."""

    channel_type: str
    purchased_at: datetime
    shipping_policy: str | None
    currency: str | None
    lines: list[LineThenAnswer]
    refused_by: list[UUID] = Field(default=[])
    already_released: bool = False


class GroupThenAnswer(Answer):
    """The rules that bound the decision; `source_ids` empty: all of the account."""

    source_ids: list[UUID]
    priorities: list[str]
    allow_split: bool


class DecisionInputsAnswer(Answer):
    """What a decision saw. `stock`: for each SKU the position of the source in `sources`, the units free there, what
    one costs and in which currency."""

    order: OrderThenAnswer
    group: GroupThenAnswer
    stock: dict[str, list[tuple[int, int, Decimal | None, str | None]]]


class SourceThenAnswer(Answer):
    """A source as a decision saw it."""

    source_id: UUID
    name: str
    priority: int
    shipping_policies: list[str]
    enabled: bool
    compliant: bool
    attestation_version: int
    attested_until: datetime | None = None


class DecisionAnswer(Answer):
    """One decision with all that it was based on; `inputs.stock` names sources by their position in `sources`.

    `agreement` is the one that bound the order, null when none did; `attestations` are those of the sources that were
    chosen and of those that were rejected for want of one, as they stood.
    """

    decision_version: int
    order_version: int
    outcome: str = Values("routed", "held", "not_routed", description="what was decided")
    cause: str = Values("order", "withdrawn", "refused", "reroute", description="why it was decided")
    code: str | None
    detail: str
    decided_at: datetime
    plan: list[AssignmentAnswer]
    rejected: list[RejectedAnswer]
    agreement: str | None
    attestations: list[AttestationThenAnswer]
    inputs: DecisionInputsAnswer
    sources: list[SourceThenAnswer]


class ReservationAnswer(Answer):
    """What became of units that a decision reserved: held, released, refused, killed, or shipped with a shipment.

    Units that left without a decision are shipped, too; the source is the nil UUID when nobody knows from where."""

    decision_version: int
    source_id: UUID
    source_name: str
    order_item_id: str
    sku: str
    quantity: int
    state: str = Values(*("held", "released", "refused", "killed", "shipped"), description="what became of the units")
    reserved_at: datetime
    closed_at: datetime | None
    shipment_id: UUID | None


class ShippedAnswer(Answer):
    """A parcel of one source, planned or not, and the newest line of the source's attestation history when it left.

    `without_attestation`: the agreement bound the order, and no attestation was in force at `shipped_at`, the moment
    at which the shipment was taken.
    """

    shipment_id: UUID | None
    shipped_at: datetime
    agreement: str | None
    without_attestation: bool
    attestation: AttestationThenAnswer


class OrderDecisionsAnswer(Answer):
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
    state: str = Values("waiting", "routed", "held", "closed", description="where its routing stands")
    order_version: int
    order_holds: list[str]
    reservations: list[ReservationAnswer]
    shipped: list[ShippedAnswer]
    latest: DecisionAnswer | None
    history: list[DecisionAnswer]


class SourceForOrderAnswer(Answer):
    """What a source is to an order now. `eligible`: nothing but rank and quantity stands between them."""

    source_id: UUID
    source_name: str
    eligible: bool
    code: str
    detail: str


class OrderEligibilityAnswer(Answer):
    """Which sources may ship an order if it were decided now, and what the decision would be.

    `outcome`: routed, held, or not_routed when the order's state lets nobody ship it; then there are no `sources`.
    """

    selling_partner_id: str
    amazon_order_id: str
    agreement: str | None
    outcome: str = Values("routed", "held", "not_routed", description="what was decided")
    code: str | None
    detail: str
    sources: list[SourceForOrderAnswer]


class SupposedCost(Body):
    """What one unit would cost."""

    amount: Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class SupposedStock(Body):
    """A source would have so many units of a SKU free."""

    source_id: UUID
    sku: Sku
    available: Annotated[Whole, Field(ge=0, le=2_147_483_647)]
    cost: SupposedCost | None = None


class SupposedSource(Body):
    """A source would be like this; what is not given stays as it is."""

    source_id: UUID
    compliant: Flag | None = None
    enabled: Flag | None = None
    priority: Priority | None = None
    shipping_policies: Policies | None = None


class WhatIf(Body):
    """What would be different. `routing_group` stands in for every channel's."""

    stock: Annotated[list[SupposedStock], Field(max_length=5000)] = Field(default_factory=list)
    sources: Annotated[list[SupposedSource], Field(max_length=1000)] = Field(default_factory=list)
    routing_group: RoutingGroupChanges | None = None


class WhatIfHeld(WhatIf):
    """The same, about many orders: those named, or the oldest held ones."""

    amazon_order_ids: Annotated[list[AmazonOrderId], Field(min_length=1, max_length=1000)] | None = None


class OutcomeAnswer(Answer):
    """A decision that is not made: routed with its plan, or held with the code and why; not_routed, again with code and
    why, when the order's state leaves nothing to decide."""

    outcome: str = Values("routed", "held", "not_routed", description="what was decided")
    code: str | None
    detail: str
    plan: list[AssignmentAnswer]


class DifferenceAnswer(Answer):
    """An order decided as things are, and as they would be."""

    selling_partner_id: str
    amazon_order_id: str
    changed: bool
    now: OutcomeAnswer
    then: OutcomeAnswer


class WhatIfAnswer(Answer):
    """How many orders were looked at and would change; `differences` are those that would. `more`: others are held."""

    orders: int
    changed: int
    freed: int
    newly_held: int
    more: bool
    differences: list[DifferenceAnswer]


class ReplayedDecisionAnswer(Answer):
    """A stored decision taken again from what it saw; `again` is the other answer when it is not the same."""

    decision_version: int
    same: bool
    again: OutcomeAnswer | None = None


class ReplayAnswer(Answer):
    """Whether every decision of an order comes out the same, newest first."""

    selling_partner_id: str
    amazon_order_id: str
    same: bool
    decisions: list[ReplayedDecisionAnswer]
