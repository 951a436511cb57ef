"""Notifications: what people of an account, or of the platform, should know of."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service.models import Notification
from common import clock
from common.bulk import run


async def notify(
    session: AsyncSession,
    account_id: UUID,
    code: str,
    detail: str,
    *,
    fix: str = "",
    connection_id: UUID | None = None,
    occasion: str | None = None,
) -> bool:
    """Leaves a notification; the same `occasion` leaves one, whoever finds it how often. Answers whether it is new."""
    told = Notification(
        account_id=account_id,
        connection_id=connection_id,
        code=code,
        detail=detail,
        fix=fix,
        occasion=occasion,
        created_at=clock.now(),
    )
    written = await run(
        session,
        "insert into notification (id, account_id, connection_id, code, detail, fix, occasion, created_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (occasion) do nothing returning id",
        told.id,
        account_id,
        connection_id,
        code,
        detail,
        fix,
        occasion,
        told.created_at,
    )
    return bool(written)
