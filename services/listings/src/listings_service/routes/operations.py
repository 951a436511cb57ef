"""Operation runs and their schedules, per channel; runs of one connection and operation never overlap."""

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
from listings_service.models import Channel, Connection
from listings_service.remembering import CALLABLE
from listings_service.schemas import Operation, ScheduleAnswer, ScheduleChanges, StartedOperation

router = APIRouter(route_class=Guarded, tags=["operations"])


@router.post("/v1/operations", status_code=202, responses=problems(NotFound, ConnectionNotActiveProblem))
async def start_operation(
    body: StartedOperation, caller: OperationWriter, session: Transaction, request: Request, key: IdempotencyKey = None
) -> RunAnswer:
    """Queues a run for the listings of a channel."""
    channel = await _channel(session, caller, body.channel_id)
    await _callable(session, caller, channel)

    async def effect() -> RunAnswer:
        started = await jobs.start(
            session,
            account_id=caller.account_id,
            connection_id=channel.connection_id,
            channel_id=channel.id,
            operation=body.operation,
            requested_by=caller.subject,
        )
        return run_view(started)

    return await once(session, request, caller.account_id, key, RunAnswer, effect)


@router.put("/v1/channels/{channel_id}/schedules/{operation}", responses=problems(ConnectionNotActiveProblem))
async def set_schedule(
    channel_id: UUID, operation: Operation, body: ScheduleChanges, caller: OperationWriter, session: Transaction
) -> ScheduleAnswer:
    """Sets how often the operation runs for the channel's connection, all its channels together."""
    channel = await _channel(session, caller, channel_id)
    await _callable(session, caller, channel)
    await jobs.schedule(
        session,
        account_id=caller.account_id,
        connection_id=channel.connection_id,
        operation=operation,
        every_seconds=body.every_seconds,
    )
    return ScheduleAnswer(connection_id=channel.connection_id, operation=operation, every_seconds=body.every_seconds)


async def _channel(session: AsyncSession, caller: Caller, channel_id: UUID) -> Channel:
    channel = await caller.one(session, Channel, channel_id)
    if channel.deleted:
        raise NotFound(f"channel {channel_id} was deleted")
    return channel


async def _callable(session: AsyncSession, caller: Caller, channel: Channel) -> None:
    connection = await caller.one(session, Connection, channel.connection_id)
    if connection.status not in CALLABLE:
        raise ConnectionNotActiveProblem(f"the connection is {connection.status}")


async def _connection_of(session: AsyncSession, caller: Caller, channel_id: UUID) -> UUID:
    return (await _channel(session, caller, channel_id)).connection_id


router.include_router(operations_router(_connection_of))
