"""What the compliance service reads from its environment beyond the common settings."""

from pydantic import Field

from common.settings import ServiceSettings


class ComplianceSettings(ServiceSettings):
    """Timings of what happens by itself: re-routing after restocking, and attestations that run out."""

    restock_reroute_delay_seconds: float = Field(
        default=1.0, ge=0, description="how long stock changes are collected before held orders are decided again"
    )
    attestation_expiry_check_seconds: float = Field(
        default=30.0, gt=0, description="how often attestations that have run out are switched off"
    )
