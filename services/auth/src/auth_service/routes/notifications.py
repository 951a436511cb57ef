"""What people should know, and who did what: notifications and the audit trail, newest first."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlmodel import col

from auth_service.models import AuditEntry, Notification
from auth_service.schemas import AuditEntryAnswer, NotificationAnswer
from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.moments import MomentOrUtc
from common.pages import ByMoment, Page, PageQuery, Paging

router = APIRouter(route_class=Guarded, tags=["notifications"])

Code = Annotated[str | None, Query(max_length=50)]


@router.get("/v1/notifications")
async def list_notifications(
    caller: Annotated[Caller, requires("connections:read")],
    session: Transaction,
    paging: PageQuery,
    connection_id: UUID | None = None,
    code: Code = None,
    created_since: MomentOrUtc | None = None,
) -> Page[NotificationAnswer]:
    """What became of the account's connections: authorised, due for renewal, revoked, switched off and on."""
    return await _notifications(caller, session, paging, connection_id, code, created_since)


@router.get("/v1/audit-entries")
async def list_audit_entries(
    caller: Annotated[Caller, requires("account:admin")],
    session: Transaction,
    paging: PageQuery,
    subject_id: Annotated[UUID | None, Query(description="of a connection, a channel or a key")] = None,
    action: Annotated[str | None, Query(max_length=100)] = None,
    created_since: MomentOrUtc | None = None,
) -> Page[AuditEntryAnswer]:
    """Who did what to which connection, channel or key of the account. Nobody can change it, the service included."""
    query = caller.scoped(AuditEntry)
    if subject_id is not None:
        query = query.where(AuditEntry.subject_id == subject_id)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if created_since is not None:
        query = query.where(col(AuditEntry.created_at) >= created_since)
    order = (col(AuditEntry.created_at), col(AuditEntry.id))
    return await paging.of(session, query, order, ByMoment, AuditEntryAnswer.model_validate, newest_first=True)


@router.get("/v1/platform/notifications")
async def list_platform_notifications(
    caller: Annotated[Caller, requires("platform:read")],
    session: Transaction,
    paging: PageQuery,
    code: Code = None,
    created_since: MomentOrUtc | None = None,
) -> Page[NotificationAnswer]:
    """What the platform's operator should do, such as renewing the app's client secret (`create-operator-key`)."""
    return await _notifications(caller, session, paging, None, code, created_since)


async def _notifications(
    caller: Caller,
    session: Transaction,
    paging: Paging,
    connection_id: UUID | None,
    code: str | None,
    created_since: MomentOrUtc | None,
) -> Page[NotificationAnswer]:
    query = caller.scoped(Notification)
    if connection_id is not None:
        query = query.where(Notification.connection_id == connection_id)
    if code is not None:
        query = query.where(Notification.code == code)
    if created_since is not None:
        query = query.where(col(Notification.created_at) >= created_since)
    order = (col(Notification.created_at), col(Notification.id))
    return await paging.of(session, query, order, ByMoment, NotificationAnswer.model_validate, newest_first=True)
