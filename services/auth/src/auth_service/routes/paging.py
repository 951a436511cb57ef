"""Lists of an account's records in the order of their creation, page by page."""

from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service.models import ApiKey, AuditEntry, Channel, Connection, Notification
from auth_service.schemas import View
from common.callers import Caller
from common.pages import Page, decode_cursor, encode_cursor

V = TypeVar("V", bound=View)

_Place: Any = tuple[Annotated[datetime, msgspec.Meta(tz=True)], UUID]


async def list_page(
    session: AsyncSession,
    caller: Caller,
    model: type[ApiKey] | type[AuditEntry] | type[Channel] | type[Connection] | type[Notification],
    view: type[V],
    cursor: str | None,
    limit: int,
    *,
    newest_first: bool = False,
) -> Page[V]:
    """The caller's next `limit` records after the cursor, the oldest first unless asked otherwise."""
    place: Any = tuple_(model.created_at, model.id)
    query = caller.scoped(model)
    if cursor is not None:
        last = decode_cursor(cursor, _Place)
        query = query.where(place < last if newest_first else place > last)
    # One more than is shown tells whether a further page exists.
    rows = (await session.exec(query.order_by(place.desc() if newest_first else place).limit(limit + 1))).all()
    shown = rows[:limit]
    more = encode_cursor(shown[-1].created_at, shown[-1].id) if len(rows) > limit else None
    return Page[V](items=[view.model_validate(row) for row in shown], next_cursor=more)
