"""`entrepot.inventory` (incoming): what a merchant wants to sell, and what a source has."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import model_validator

from common.contracts.event import Event, Money, Quantity, Sku

TOPIC = "entrepot.inventory"


class InventoryEvent(Event):
    """Names one SKU of an account; `as_of` says when the figure was true (the newest wins)."""

    TOPIC: ClassVar[str] = TOPIC

    sku: Sku
    as_of: datetime

    def key(self) -> str:
        return f"{self.account_id}:{self.sku}"


class InventoryChanged(InventoryEvent):
    """What a channel shall show: a quantity, a price, or both."""

    channel_id: UUID
    quantity: Quantity | None = None
    price: Money | None = None

    @model_validator(mode="after")
    def _something(self) -> "InventoryChanged":
        if self.quantity is None and self.price is None:
            raise ValueError("give quantity, price or both")
        return self


class SourceInventoryChanged(InventoryEvent):
    """What a source has of a SKU, and what it costs there."""

    source_id: UUID
    quantity: Quantity
    cost: Money | None = None
