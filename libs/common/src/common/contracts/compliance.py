"""`entrepot.compliance`: routing decisions and what sources have attested."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from common.contracts.event import Contract, Event
from common.contracts.orders import FulfillmentLine, OrderReference

TOPIC = "entrepot.compliance"


class Allocation(Contract):
    """What one source shall ship. `attestation_version` is the newest attestation the decision knew of, which runs out
    at `attested_until` (null: never)."""

    source_id: UUID
    attestation_version: int
    attested_until: datetime | None = None
    source_name: str = ""
    lines: tuple[FulfillmentLine, ...]


class RejectedSource(Contract):
    """Why a source was not chosen. `code` is stable, `detail` is for people."""

    source_id: UUID
    source_name: str
    code: str
    detail: str


class Decision(OrderReference):
    """A routing decision of one order; the highest `decision_version` wins."""

    TOPIC: ClassVar[str] = TOPIC

    decision_version: int
    order_version: int


class OrderRouted(Decision):
    """Every line has a source; the stock is reserved."""

    allocations: tuple[Allocation, ...]


class OrderHeld(Decision):
    """No plan is possible: `code` is no_source_has_sku, none_in_stock, none_compliant, rule_not_satisfiable or
    line_without_sku.

    Or none is needed as far as orders knows: already_released, until the order changes or a source refuses.
    """

    code: str
    detail: str
    rejected: tuple[RejectedSource, ...] = ()


class SourceComplianceChanged(Event):
    """A source's attestation to the Amazon Services Business Solutions Agreement was given, withdrawn, or ran out; or
    the source has a new name, which is told with the same `attestation_version` (0: never attested).

    `reason` says what became of the attestation last (given, withdrawn, expired). While `compliant`, it runs out at
    `attested_until` (null: never); from then on it is void, whether or not a later event says so.
    """

    TOPIC: ClassVar[str] = TOPIC

    source_id: UUID
    source_name: str
    compliant: bool
    attestation_version: int
    changed_at: datetime
    reason: str | None = None
    attested_until: datetime | None = None

    def key(self) -> str:
        return f"{self.account_id}:{self.source_id}"


class SourceAttestationExpiring(Event):
    """A source's attestation runs out soon: without a new one its orders are held from `attested_until` on.

    Announced once for each attestation and each of the configured numbers of days before.
    """

    TOPIC: ClassVar[str] = TOPIC

    source_id: UUID
    source_name: str
    attestation_version: int
    attested_until: datetime
    days_before: int

    def key(self) -> str:
        return f"{self.account_id}:{self.source_id}"
