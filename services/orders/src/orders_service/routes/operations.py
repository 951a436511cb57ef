"""Operation runs of orders: started by hand, for a connection."""

from uuid import UUID

from fastapi import APIRouter, Request
from sqlmodel.ext.asyncio.session import AsyncSession

from common import jobs
from common.callers import Caller
from common.db import Transaction
from common.errors import ConnectionNotActiveProblem, NotFound
from common.front_door import Guarded
from common.idempotency import IdempotencyKey, once
from common.openapi import problems
from common.operations import OperationWriter, RunAnswer, operations_router, run_view
from orders_service.asking import CALLABLE
from orders_service.models import Channel, Connection
from orders_service.schemas import GetOrders, StartedOperation

router = APIRouter(route_class=Guarded, tags=["operations"])


@router.post("/v1/operations", status_code=202, responses=problems(NotFound, ConnectionNotActiveProblem))
async def start_operation(
    body: StartedOperation, caller: OperationWriter, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RunAnswer:
    """Queues a run: `get_orders` reads orders from Amazon, `sync_orders` confirms shipments to Amazon."""
    ids = body.amazon_order_ids if isinstance(body, GetOrders) else []

    async def effect() -> RunAnswer:
        connection = await caller.one(session, Connection, body.connection_id)
        if connection.status not in CALLABLE:
            raise ConnectionNotActiveProblem(f"the connection is {connection.status}")
        started = await jobs.start(
            session,
            account_id=caller.account_id,
            connection_id=connection.id,
            operation=body.operation,
            requested_by=caller.subject,
            parameters={"amazon_order_ids": ids} if ids else {},
        )
        return run_view(started)

    return await once(session, request, caller.account_id, key, RunAnswer, effect)


async def _connection_of(session: AsyncSession, caller: Caller, channel_id: UUID) -> UUID:
    return (await caller.one(session, Channel, channel_id)).connection_id


router.include_router(operations_router(_connection_of))
