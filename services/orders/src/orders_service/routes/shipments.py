"""Shipments, their edits, and the carriers that Amazon knows."""

from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from sqlalchemy import tuple_
from sqlmodel import col

from common import clock
from common.bulk import run
from common.callers import Caller, requires
from common.contracts.shipments import ShipmentCreated
from common.db import Transaction
from common.idempotency import IdempotencyKey, once
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from orders_service import carriers, shipping
from orders_service.models import Order, Shipment
from orders_service.schemas import (
    CarrierMethodRequest,
    CarrierView,
    ShipmentChange,
    ShipmentRequest,
    ShipmentView,
    shipment_view,
)

router = APIRouter(prefix="/v1", tags=["shipments"])

Reader = Annotated[Caller, requires("orders:read")]
Writer = Annotated[Caller, requires("orders:write")]


@router.post("/orders/{order_id}/shipments", status_code=201)
async def create_shipment(
    order_id: UUID,
    body: ShipmentRequest,
    caller: Writer,
    session: Transaction,
    request: Request,
    key: IdempotencyKey = None,
) -> ShipmentView:
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
        items=tuple(body.items),
    )

    async def effect() -> ShipmentView:
        return shipment_view(await shipping.create(session, caller, told))

    return await once(session, request, caller.account_id, key, ShipmentView, effect)


@router.get("/shipments")
async def list_shipments(
    caller: Reader,
    session: Transaction,
    status: Annotated[str | None, Query(max_length=50)] = None,
    order_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ShipmentView]:
    """Shipments, the newest first; `status=rejected` are those to edit."""
    query = caller.scoped(Shipment)
    if status is not None:
        query = query.where(Shipment.status == status)
    if order_id is not None:
        query = query.where(Shipment.order_id == order_id)
    position = tuple_(col(Shipment.created_at), col(Shipment.id))
    if cursor:
        query = query.where(position < tuple_(*decode_cursor(cursor, tuple[datetime, UUID])))
    query = query.order_by(col(Shipment.created_at).desc(), col(Shipment.id).desc()).limit(limit + 1)
    found = (await session.exec(query)).all()
    items = [shipment_view(one) for one in found[:limit]]
    more = len(found) > limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)


@router.get("/shipments/{shipment_id}")
async def get_shipment(shipment_id: UUID, caller: Reader, session: Transaction) -> ShipmentView:
    return shipment_view(await caller.one(session, Shipment, shipment_id))


@router.patch("/shipments/{shipment_id}")
async def edit_shipment(shipment_id: UUID, body: ShipmentChange, caller: Writer, session: Transaction) -> ShipmentView:
    """Corrects the shipment and queues it again, as the same package."""
    changes = body.model_dump(exclude_none=True)
    return shipment_view(await shipping.edit(session, caller, shipment_id, changes))


@router.get("/carriers")
async def list_carriers(caller: Reader, session: Transaction) -> list[CarrierView]:
    """The carriers that we know methods of, the account's own methods included."""
    own = await shipping.own_methods(session, caller.account_id)
    return [
        CarrierView(carrier=carrier, methods=[*carriers.METHODS.get(carrier, ()), *own.get(carrier, ())])
        for carrier in dict.fromkeys([*carriers.METHODS, *own])
    ]


@router.post("/carriers/methods", status_code=201)
async def add_carrier_method(body: CarrierMethodRequest, caller: Writer, session: Transaction) -> CarrierView:
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
    return CarrierView(carrier=carrier, methods=[*carriers.METHODS.get(carrier, ()), *own[carrier]])
