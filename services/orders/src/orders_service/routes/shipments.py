"""Shipments, their edits, and the carriers that Amazon knows."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from sqlmodel import col

from common import clock
from common.bulk import run
from common.callers import Caller, requires
from common.contracts.shipments import ShipmentCreated, ShippedItem
from common.db import Transaction
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.moments import MomentOrUtc
from common.openapi import problems
from common.pages import ByMoment, ByText, Page, PageQuery
from orders_service import carriers, shipping
from orders_service.models import Order, Shipment
from orders_service.schemas import (
    CarrierAnswer,
    NewCarrierMethod,
    NewShipment,
    ShipmentAnswer,
    ShipmentChanges,
    shipment_view,
)

router = APIRouter(route_class=Guarded, prefix="/v1", tags=["shipments"])

Reader = Annotated[Caller, requires("orders:read")]
Writer = Annotated[Caller, requires("orders:write")]


@router.post("/orders/{order_id}/shipments", status_code=201, responses=problems(shipping.ShipmentNotPossible))
async def create_shipment(
    order_id: UUID,
    body: NewShipment,
    caller: Writer,
    session: Transaction,
    request: Request,
    key: IdempotencyKey = None,
) -> ShipmentAnswer:
    """A parcel left. Wrong items are refused at once; a wrong carrier or method waits on the shipment for an edit."""
    order = await caller.one(session, Order, order_id)
    told = ShipmentCreated(
        account_id=caller.account_id,
        selling_partner_id=order.selling_partner_id,
        amazon_order_id=order.amazon_order_id,
        shipment_id=body.shipment_id or uuid4(),
        source_id=body.source_id,
        carrier=body.carrier,
        method=body.method,
        tracking_number=body.tracking_number,
        shipped_at=body.shipped_at or clock.now(),
        items=tuple(ShippedItem.model_validate(item.model_dump()) for item in body.items),
    )

    async def effect() -> ShipmentAnswer:
        return shipment_view(await shipping.create(session, caller, told))

    return await once(session, request, caller.account_id, key, ShipmentAnswer, effect)


@router.get("/shipments")
async def list_shipments(
    caller: Reader,
    session: Transaction,
    paging: PageQuery,
    status: Annotated[
        str | None, Query(max_length=50, description="`rejected` and `conflict` are those to edit")
    ] = None,
    order_id: UUID | None = None,
    source_id: UUID | None = None,
    channel_id: Annotated[UUID | None, Query(description="of its order")] = None,
    connection_id: Annotated[UUID | None, Query(description="of its order")] = None,
    created_since: MomentOrUtc | None = None,
) -> Page[ShipmentAnswer]:
    """Shipments, the newest first."""
    query = caller.scoped(Shipment)
    if status is not None:
        query = query.where(Shipment.status == status)
    if order_id is not None:
        query = query.where(Shipment.order_id == order_id)
    if source_id is not None:
        query = query.where(Shipment.source_id == source_id)
    if channel_id is not None or connection_id is not None:
        query = query.join(Order, col(Order.id) == Shipment.order_id)
    if channel_id is not None:
        query = query.where(Order.channel_id == channel_id)
    if connection_id is not None:
        query = query.where(Order.connection_id == connection_id)
    if created_since is not None:
        query = query.where(col(Shipment.created_at) >= created_since)
    order = (col(Shipment.created_at), col(Shipment.id))
    return await paging.of(session, query, order, ByMoment, shipment_view, newest_first=True)


@router.get("/shipments/{shipment_id}")
async def get_shipment(shipment_id: UUID, caller: Reader, session: Transaction) -> ShipmentAnswer:
    """One shipment, how far its confirmation is and what Amazon said."""
    return shipment_view(await caller.one(session, Shipment, shipment_id))


@router.patch("/shipments/{shipment_id}", responses=problems(shipping.ShipmentNotPossible, shipping.ShipmentInFlight))
async def change_shipment(
    shipment_id: UUID, body: ShipmentChanges, caller: Writer, session: Transaction
) -> ShipmentAnswer:
    """Corrects the shipment and queues it again, as the same package."""
    changes = body.model_dump(exclude_none=True)
    return shipment_view(await shipping.edit(session, caller, shipment_id, changes))


@router.get("/carriers")
async def list_carriers(caller: Reader, session: Transaction, paging: PageQuery) -> Page[CarrierAnswer]:
    """The carriers that we know methods of, by name, the account's own methods included."""
    own = await shipping.own_methods(session, caller.account_id)
    names = sorted({*carriers.METHODS, *own})
    after = paging.after(ByText)

    async def count() -> int:
        return len(names)

    def view(carrier: str) -> CarrierAnswer:
        return CarrierAnswer(carrier=carrier, methods=[*carriers.METHODS.get(carrier, ()), *own.get(carrier, ())])

    found = [name for name in names if after is None or name > after[0]]
    return await paging.page(found[: paging.fetched], view, lambda name: [name], count)


@router.post("/carriers/methods", status_code=201, responses=problems(carriers.UnknownCarrier))
async def add_carrier_method(body: NewCarrierMethod, caller: Writer, session: Transaction) -> CarrierAnswer:
    """Teaches the account another method of a carrier of Amazon's; taught twice, it is the same."""
    carrier = carriers.known_carrier(body.carrier)
    await run(
        session,
        "insert into carrier_method (account_id, carrier, method) values ($1, $2, $3) on conflict do nothing",
        caller.account_id,
        carrier,
        body.method,
    )
    own = await shipping.own_methods(session, caller.account_id)
    return CarrierAnswer(carrier=carrier, methods=[*carriers.METHODS.get(carrier, ()), *own[carrier]])
