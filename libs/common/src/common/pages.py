"""Pages of our own lists: every one takes `limit`, `cursor` and `total`, and answers {items, next_cursor, total}.

A cursor holds the sort key of the last row and which list, with which filters, it belongs to.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from fastapi import Depends, Query, Request
from pydantic import Field
from sqlalchemy import func, tuple_
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.errors import InvalidRequest
from common.schemas import Answer

T = TypeVar("T")
V = TypeVar("V")

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 500
_PAGING = frozenset({"limit", "cursor", "total"})
_INT4 = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_INT8 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

# The sort keys that lists have: how a cursor's text becomes what the query compares.
ByMoment: Any = tuple[Annotated[datetime, msgspec.Meta(tz=True)], UUID]
ByText: Any = tuple[str]
ByVersion: Any = tuple[_INT4]
ByNumber: Any = tuple[_INT8]


class UnknownCursor(InvalidRequest):
    slug, title = "unknown-cursor", "The cursor is not one of this list"
    fix = "Pass `next_cursor` unchanged, with the filters of the page before, or start without a cursor"


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="`cursor` of the next page; null on the last one")
    total: int | None = Field(default=None, description="how many there are on all pages; with `total=true`")


@dataclass(frozen=True, slots=True)
class Paging:
    """What a request says of the page it wants."""

    limit: int
    cursor: str | None
    total: bool
    list_id: str

    def after(self, into: type[T]) -> T | None:
        """The last row's sort key as the given tuple type; None for the first page. Raises `UnknownCursor`."""
        return None if self.cursor is None else _decode(self.cursor, self.list_id, into)

    @property
    def fetched(self) -> int:
        """One more than is shown tells whether a further page exists."""
        return self.limit + 1

    async def page(
        self,
        found: Sequence[T],
        view: Callable[[T], V],
        key: Callable[[T], Sequence[Any]],
        count: Callable[[], Awaitable[int]],
    ) -> Page[V]:
        """The page of up to `fetched` rows."""
        more = len(found) > self.limit
        return Page(
            items=[view(row) for row in found[: self.limit]],
            next_cursor=encode_cursor(self.list_id, key(found[self.limit - 1])) if more else None,
            total=await count() if self.total else None,
        )

    async def of(
        self,
        session: AsyncSession,
        query: Any,
        order: Sequence[Any],
        into: Any,
        view: Callable[[Any], V],
        *,
        newest_first: bool = False,
    ) -> Page[V]:
        """The page of a query over one table, in the order of the given columns."""
        found = await self.rows(session, query, order, into, newest_first=newest_first)
        return await self.page(found, view, key_of(order), lambda: count_of(session, query))

    async def rows(
        self, session: AsyncSession, query: Any, order: Sequence[Any], into: Any, *, newest_first: bool = False
    ) -> Sequence[Any]:
        """Up to `fetched` rows after the cursor."""
        last = self.after(into)
        wanted = query
        if last is not None:
            place = tuple_(*order)
            wanted = wanted.where(place < tuple_(*last) if newest_first else place > tuple_(*last))
        ordered = wanted.order_by(*(column.desc() if newest_first else column for column in order))
        found: Sequence[Any] = (await session.exec(ordered.limit(self.fetched))).all()
        return found


def key_of(order: Sequence[Any]) -> Callable[[Any], Sequence[Any]]:
    """How a row's sort key is read off it."""
    return lambda row: [getattr(row, column.key) for column in order]


async def count_of(session: AsyncSession, query: Any) -> int:
    """How many rows a query has on all pages."""
    counted: int = (await session.exec(select(func.count()).select_from(query.subquery()))).one()
    return counted


async def _paging(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="How many items a page has")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")] = None,
    total: Annotated[bool, Query(description="Whether to count the items of all pages")] = False,
) -> Paging:
    filters = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _PAGING)
    told = msgspec.json.encode([request.url.path, filters])
    return Paging(limit, cursor, total, hashlib.sha256(told).hexdigest()[:12])


PageQuery = Annotated[Paging, Depends(_paging)]


def encode_cursor(list_id: str, sort_key: Sequence[Any]) -> str:
    """A cursor of that list after the row with that sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode([list_id, list(sort_key)])).decode()


def _decode(cursor: str, list_id: str, into: type[T]) -> T:
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True)
        if b"\\u0000" in text:
            raise ValueError("PostgreSQL's text holds no NUL")
        its_list, sort_key = msgspec.json.decode(text, type=tuple[str, msgspec.Raw])
        place = msgspec.json.decode(sort_key, type=into)
        for part in place if isinstance(place, tuple) else ():
            if isinstance(part, datetime):
                part.astimezone(UTC)  # at the edge of the calendar it has none
    except (ValueError, OverflowError, msgspec.MsgspecError):
        raise UnknownCursor(errors=[{"where": "query.cursor", "detail": "is unreadable", "rule": "cursor"}]) from None
    if its_list != list_id:
        detail = "belongs to another list or to other filters"
        raise UnknownCursor(errors=[{"where": "query.cursor", "detail": detail, "rule": "cursor"}])
    return place
