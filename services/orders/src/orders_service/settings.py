"""What the orders service reads from its environment beside the common settings."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """Times are seconds."""

    get_orders_every_seconds: float = Field(default=180, gt=0, description="one searchOrders call refills in 180 s")
    sync_orders_every_seconds: float = Field(default=60, gt=0)
    confirm_read_back_delays: Annotated[tuple[float, ...], NoDecode] = Field(
        default=(60, 120, 300, 900, 1800),
        min_length=1,
        description="waits before each look for a confirmed package at Amazon, comma separated",
    )

    @field_validator("confirm_read_back_delays", mode="before")
    @classmethod
    def _split_delays(cls, value: object) -> object:
        return value.split(",") if isinstance(value, str) else value
