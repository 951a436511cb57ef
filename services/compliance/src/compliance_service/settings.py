"""What the compliance service reads from its environment beyond the common settings."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings import ServiceSettings


class ComplianceSettings(ServiceSettings):
    """Timings of what happens by itself: re-routing after restocking, and attestations that run out."""

    restock_reroute_delay_seconds: float = Field(
        default=1.0, ge=0, description="how long stock changes are collected before held orders are decided again"
    )
    attestation_expiry_check_seconds: float = Field(
        default=30.0, gt=0, description="how often attestations that have run out are switched off"
    )
    attestation_warning_days: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(30, 7, 1), description="how many days before an attestation runs out it is warned of, comma separated"
    )

    @field_validator("attestation_warning_days", mode="before")
    @classmethod
    def _split_days(cls, value: object) -> object:
        return [days for days in value.split(",") if days.strip()] if isinstance(value, str) else value

    @field_validator("attestation_warning_days")
    @classmethod
    def _days_are_positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(days < 1 for days in value):
            raise ValueError("each is at least 1")
        return tuple(sorted(set(value)))
