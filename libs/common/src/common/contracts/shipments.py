"""`entrepot.shipments` (incoming): what left a source, told by source systems."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from common.contracts.event import Contract, OrderedQuantity
from common.contracts.orders import OrderReference
from common.moments import MomentOrUtc

TOPIC = "entrepot.shipments"


# As it is printed or scanned, without the blanks around it that Amazon would keep.
TrackingNumber = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class ShippedItem(Contract):
    """Names an order item by Amazon's id or, when the order has it once, by SKU."""

    order_item_id: str | None = None
    sku: str | None = None
    quantity: OrderedQuantity

    @model_validator(mode="after")
    def _named(self) -> "ShippedItem":
        if self.order_item_id is None and self.sku is None:
            raise ValueError("give order_item_id or sku")
        return self


class ShipmentCreated(OrderReference):
    """A parcel left a source. `shipment_id` is the sender's own; sent twice, it is one shipment."""

    TOPIC: ClassVar[str] = TOPIC

    shipment_id: UUID
    source_id: UUID | None = None
    carrier: Annotated[str, Field(min_length=1, max_length=50)]
    method: Annotated[str, Field(max_length=50)] = ""
    tracking_number: TrackingNumber
    shipped_at: MomentOrUtc
    items: Annotated[tuple[ShippedItem, ...], Field(min_length=1)]
