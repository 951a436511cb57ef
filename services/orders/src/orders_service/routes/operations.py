"""Operation runs: started by hand, listed, read."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy import tuple_
from sqlmodel import col

from common import jobs
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import ConnectionNotActiveProblem
from common.idempotency import IdempotencyKey, once
from common.jobs import OperationRun
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from orders_service.asking import CALLABLE
from orders_service.models import Connection
from orders_service.schemas import GetOrdersRequest, RunView, run_view

router = APIRouter(prefix="/v1", tags=["operations"])

Reader = Annotated[Caller, requires("operations:read")]
Writer = Annotated[Caller, requires("operations:write")]


@router.post("/connections/{connection_id}/operations/get-orders", status_code=202)
async def start_get_orders(
    connection_id: UUID,
    caller: Writer,
    session: Transaction,
    request: Request,
    body: GetOrdersRequest | None = None,
    key: IdempotencyKey = None,
) -> RunView:
    """Queues a Get Orders for all marketplaces of the connection, or a back-fill of single orders."""
    ids = body.amazon_order_ids if body else []
    parameters = {"amazon_order_ids": ids} if ids else {}

    async def effect() -> RunView:
        return await _start(session, caller, connection_id, "get_orders", parameters)

    return await once(session, request, caller.account_id, key, RunView, effect)


@router.post("/connections/{connection_id}/operations/sync-orders", status_code=202)
async def start_sync_orders(
    connection_id: UUID, caller: Writer, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RunView:
    """Queues a Sync Orders: confirms the connection's shipments to Amazon."""

    async def effect() -> RunView:
        return await _start(session, caller, connection_id, "sync_orders", {})

    return await once(session, request, caller.account_id, key, RunView, effect)


async def _start(
    session: Transaction, caller: Caller, connection_id: UUID, operation: str, parameters: dict[str, list[str]]
) -> RunView:
    connection = await caller.one(session, Connection, connection_id)
    if connection.status not in CALLABLE:
        raise ConnectionNotActiveProblem(f"the connection is {connection.status}")
    started = await jobs.start(
        session,
        account_id=caller.account_id,
        connection_id=connection_id,
        operation=operation,
        requested_by=caller.subject,
        parameters=parameters,
    )
    return run_view(started)


@router.get("/operations")
async def list_operations(
    caller: Reader,
    session: Transaction,
    connection_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RunView]:
    """Runs, the newest first."""
    query = caller.scoped(OperationRun)
    if connection_id is not None:
        query = query.where(OperationRun.connection_id == connection_id)
    position = tuple_(col(OperationRun.created_at), col(OperationRun.id))
    if cursor:
        query = query.where(position < tuple_(*decode_cursor(cursor, tuple[datetime, UUID])))
    query = query.order_by(col(OperationRun.created_at).desc(), col(OperationRun.id).desc()).limit(limit + 1)
    found = (await session.exec(query)).all()
    items = [run_view(one) for one in found[:limit]]
    more = len(found) > limit
    return Page(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)


@router.get("/operations/{run_id}")
async def get_operation(run_id: UUID, caller: Reader, session: Transaction) -> RunView:
    return run_view(await caller.one(session, OperationRun, run_id))
