"""Cursor pagination of our own lists: the cursor holds the sort key of the last row, nothing else."""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel

from common.errors import InvalidRequest

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=500, description="rows per page")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")]


class Page(BaseModel, Generic[T]):
    """One page; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*sort_key: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(sort_key)).decode()


def decode_cursor(cursor: str, into: type[T]) -> T:
    """The sort key as the given tuple type. Raises `InvalidRequest`."""
    try:
        text = base64.urlsafe_b64decode(cursor)
        if b"\\u0000" in text:
            raise ValueError("PostgreSQL's text holds no NUL")
        sort_key = msgspec.json.decode(text, type=into)
        for part in sort_key if isinstance(sort_key, tuple) else ():
            if isinstance(part, datetime):
                part.astimezone(UTC)  # at the edge of the calendar it has none
        return sort_key
    except (ValueError, OverflowError, msgspec.MsgspecError):
        raise InvalidRequest(
            "this cursor is not one of ours",
            errors=[{"where": "query.cursor", "what": "unreadable"}],
            fix="Pass `next_cursor` unchanged, or start without a cursor",
        ) from None
