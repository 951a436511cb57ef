"""`/v1/operations` of every service that has operation runs: the list and one run. Starting is each service's own."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from sqlmodel import col, or_
from sqlmodel.ext.asyncio.session import AsyncSession

from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.jobs import OperationRun
from common.moments import MomentOrUtc
from common.pages import ByMoment, Page, PageQuery
from common.schemas import Answer, Values

OperationReader = Annotated[Caller, requires("operations:read")]
OperationWriter = Annotated[Caller, requires("operations:write")]

# Answers the connection of a channel of the caller. Raises `NotFound`.
ConnectionOf = Callable[[AsyncSession, Caller, UUID], Awaitable[UUID]]


class RunErrorAnswer(Answer):
    """Something that went wrong in a run; what else is known of it (an order, a SKU, Amazon's code) stands beside."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | int | float | bool | None]

    code: str = Field(description="stable, for programs; more may be added")
    detail: str = Field(description="for people")
    fix: str | None = Field(default=None, description="what to do")


class RunWaitAnswer(RunErrorAnswer):
    """Why a run does not go on. `until` is when it looks again by itself (null: when somebody has done something),
    `alarmed` whether somebody has been told that it lasts."""

    since: datetime | None = None
    until: datetime | None = None
    alarmed: bool = False


class RunAnswer(Answer):
    """One operation run: who asked, how far it is, what it counted and what went wrong (the first hundred)."""

    id: UUID
    connection_id: UUID
    channel_id: UUID | None = Field(description="null: the run is for the whole connection")
    operation: str = Values("link", "sync", "get_orders", "sync_orders", description="what is done")
    requested_by: str = Field(description="who asked: a token's subject, or `schedule`")
    status: str = Values("queued", "running", "succeeded", "failed", description="how the run stands")
    progress: float = Field(description="from 0 to 1")
    counts: dict[str, int] = Field(description="how many of what; the names are the operation's own")
    errors: list[RunErrorAnswer]
    waits_for: RunWaitAnswer | None = Field(default=None, description="why the run does not go on")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def run_view(run: OperationRun) -> RunAnswer:
    return RunAnswer.model_validate(run)


def operations_router(connection_of: ConnectionOf) -> APIRouter:
    """The list and one run; `connection_of` finds a channel's connection."""
    router = APIRouter(route_class=Guarded, prefix="/v1/operations", tags=["operations"])

    @router.get("")
    async def list_operations(
        caller: OperationReader,
        session: Transaction,
        paging: PageQuery,
        connection_id: UUID | None = None,
        channel_id: Annotated[UUID | None, Query(description="its own runs and those of its connection")] = None,
        operation: Annotated[str | None, Query(max_length=50)] = None,
        status: Annotated[str | None, Query(max_length=50)] = None,
        updated_since: Annotated[
            MomentOrUtc | None, Query(description="created, begun or ended at this time or later")
        ] = None,
    ) -> Page[RunAnswer]:
        """Operation runs, the newest first."""
        query: Any = caller.scoped(OperationRun)
        if connection_id is not None:
            query = query.where(OperationRun.connection_id == connection_id)
        if channel_id is not None:
            query = query.where(
                col(OperationRun.connection_id) == await connection_of(session, caller, channel_id),
                col(OperationRun.channel_id).is_(None) | (col(OperationRun.channel_id) == channel_id),
            )
        if operation is not None:
            query = query.where(OperationRun.operation == operation)
        if status is not None:
            query = query.where(OperationRun.status == status)
        if updated_since is not None:
            moments = (OperationRun.created_at, OperationRun.started_at, OperationRun.finished_at)
            query = query.where(or_(*(col(moment) >= updated_since for moment in moments)))
        order = (col(OperationRun.created_at), col(OperationRun.id))
        return await paging.of(session, query, order, ByMoment, run_view, newest_first=True)

    @router.get("/{run_id}")
    async def get_operation(run_id: UUID, caller: OperationReader, session: Transaction) -> RunAnswer:
        """One operation run."""
        return run_view(await caller.one(session, OperationRun, run_id))

    return router
