"""Operation runs and their schedules, per channel; runs of one connection and operation never overlap."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy import tuple_
from sqlmodel import col

from common import jobs
from common.callers import Caller, requires
from common.db import Transaction
from common.errors import ConnectionNotActiveProblem, NotFound
from common.idempotency import IdempotencyKey, once
from common.jobs import OperationRun
from common.pages import Cursor, Limit, Page, decode_cursor, encode_cursor
from listings_service.models import Channel, Connection
from listings_service.remembering import CALLABLE
from listings_service.schemas import Operation, RunView, ScheduleRequest, ScheduleView, run_view

router = APIRouter(prefix="/v1", tags=["operations"])

Reader = Annotated[Caller, requires("operations:read")]
Writer = Annotated[Caller, requires("operations:write")]


@router.post("/channels/{channel_id}/operations/{operation}", status_code=202)
async def start_operation(
    channel_id: UUID,
    operation: Operation,
    caller: Writer,
    session: Transaction,
    request: Request,
    key: IdempotencyKey = None,
) -> RunView:
    """Queues a run for the listings of this channel."""
    channel = await _channel(session, caller, channel_id)
    await _callable(session, caller, channel)

    async def effect() -> RunView:
        started = await jobs.start(
            session,
            account_id=caller.account_id,
            connection_id=channel.connection_id,
            channel_id=channel.id,
            operation=operation,
            requested_by=caller.subject,
        )
        return run_view(started)

    return await once(session, request, caller.account_id, key, RunView, effect)


@router.get("/operations")
async def list_operations(
    caller: Reader,
    session: Transaction,
    channel_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RunView]:
    """Runs, the newest first. With a channel: its own runs and those of its whole connection."""
    query = caller.scoped(OperationRun)
    if channel_id is not None:
        channel = await _channel(session, caller, channel_id)
        query = query.where(
            col(OperationRun.connection_id) == channel.connection_id,
            col(OperationRun.channel_id).is_(None) | (col(OperationRun.channel_id) == channel_id),
        )
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


@router.put("/channels/{channel_id}/schedules/{operation}")
async def set_schedule(
    channel_id: UUID, operation: Operation, body: ScheduleRequest, caller: Writer, session: Transaction
) -> ScheduleView:
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
    return ScheduleView(connection_id=channel.connection_id, operation=operation, every_seconds=body.every_seconds)


async def _channel(session: Transaction, caller: Caller, channel_id: UUID) -> Channel:
    channel = await caller.one(session, Channel, channel_id)
    if channel.deleted:
        raise NotFound(f"channel {channel_id} was deleted")
    return channel


async def _callable(session: Transaction, caller: Caller, channel: Channel) -> None:
    connection = await caller.one(session, Connection, channel.connection_id)
    if connection.status not in CALLABLE:
        raise ConnectionNotActiveProblem(f"the connection is {connection.status}")
