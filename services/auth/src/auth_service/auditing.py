"""The audit trail: who did what to which connection, channel or key. Names and ids only, never a secret's value."""

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service.models import AuditEntry
from common import clock

# Who acts when no key does.
AMAZON = "amazon"
SCHEDULE = "schedule"
COMMAND_LINE = "command line"


async def record(
    session: AsyncSession, account_id: UUID, actor: str, action: str, subject_id: UUID | None, **facts: Any
) -> None:
    """Adds an entry in the transaction of what it tells of. `facts` are JSON values that anybody of the account may
    read: of a changed secret, and of addresses, the name of the field alone."""
    session.add(
        AuditEntry(
            account_id=account_id,
            actor=actor,
            action=action,
            subject_id=subject_id,
            facts=facts,
            created_at=clock.now(),
        )
    )
    await session.flush()
