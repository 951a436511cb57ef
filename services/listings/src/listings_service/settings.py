"""What the listings service reads from its environment beside what every service reads."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings import ServiceSettings

# Amazon shows price and quantity minutes later (FACTS 5.6.3); after a quick look, poll 1, 2, 5, 15, 60 min (5.6.2).
_READ_BACK_DELAYS = (2.0, 5.0, 15.0, 60.0, 120.0, 300.0, 900.0, 3600.0)


class ListingsSettings(ServiceSettings):
    """Settings of the listings service; names are environment variables in upper case."""

    sync_every_seconds: float = Field(default=30.0, gt=0, description="how often a new connection's changes are pushed")
    read_back_delays: Annotated[tuple[float, ...], NoDecode] = Field(
        default=_READ_BACK_DELAYS,
        min_length=1,
        description="seconds from a write to each look at what Amazon shows, comma separated; after the last: an alarm",
    )

    @field_validator("read_back_delays", mode="before")
    @classmethod
    def _parse_delays(cls, value: object) -> object:
        return [float(part) for part in value.split(",") if part.strip()] if isinstance(value, str) else value
