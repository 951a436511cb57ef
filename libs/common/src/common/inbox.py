"""Which of these events are new to a consumer: at-least-once delivery becomes one effect."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page
from common.db import CommonTable, UtcField


class InboxEntry(CommonTable, table=True):
    """An event that a consumer has handled."""

    __tablename__ = "inbox"

    consumer: str = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    received_at: datetime = UtcField(index=True)


async def claim(session: AsyncSession, consumer: str, event_ids: Collection[UUID]) -> set[UUID]:
    """Marks the events as handled by this transaction and answers those that had not been."""
    now = clock.now()
    rows = await insert_page(
        session,
        InboxEntry,
        ("consumer", "event_id", "received_at"),
        [(consumer, event_id, now) for event_id in dict.fromkeys(event_ids)],
        "on conflict do nothing returning event_id",
    )
    return {row[0] for row in rows}
