"""What people should know, and who did what: notifications and the audit trail, newest first."""

from typing import Annotated

from fastapi import APIRouter

from auth_service.models import AuditEntry, Notification
from auth_service.routes.paging import list_page
from auth_service.schemas import AuditEntryView, NotificationView
from common.callers import Caller, requires
from common.db import Transaction
from common.pages import Cursor, Limit, Page

router = APIRouter(tags=["notifications"])


@router.get("/v1/notifications")
async def list_notifications(
    caller: Annotated[Caller, requires("connections:read")],
    session: Transaction,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[NotificationView]:
    """What became of the account's connections: authorised, due for renewal, revoked, switched off and on."""
    return await list_page(session, caller, Notification, NotificationView, cursor, limit, newest_first=True)


@router.get("/v1/audit-entries")
async def list_audit_entries(
    caller: Annotated[Caller, requires("account:admin")],
    session: Transaction,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditEntryView]:
    """Who did what to which connection, channel or key of the account. Nobody can change it, the service included."""
    return await list_page(session, caller, AuditEntry, AuditEntryView, cursor, limit, newest_first=True)


@router.get("/v1/platform/notifications")
async def list_platform_notifications(
    caller: Annotated[Caller, requires("platform:read")], session: Transaction, limit: Limit = 50, cursor: Cursor = None
) -> Page[NotificationView]:
    """What the platform's operator should do, such as renewing the app's client secret (`create-operator-key`)."""
    return await list_page(session, caller, Notification, NotificationView, cursor, limit, newest_first=True)
