"""`Idempotency-Key` on POSTs that create: the answer is kept in the effect's transaction and given to a repeat."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Header, Request
from pydantic import BaseModel
from sqlalchemy import LargeBinary
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.db import CommonTable, UtcField
from common.errors import Conflict

B = TypeVar("B", bound=BaseModel)

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=200, description="Makes a repeat of this request harmless")
]


class IdempotencyRecord(CommonTable, table=True):
    """One request that created something, and what was answered."""

    __tablename__ = "idempotency_key"

    account_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: bytes = Field(sa_type=LargeBinary)
    answer: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = UtcField(index=True)


class KeyReused(Conflict):
    slug, title = "idempotency-key-reused", "This Idempotency-Key belongs to a different request"
    fix = "Use a new key for a new request"


async def once(
    session: AsyncSession,
    request: Request,
    account_id: UUID,
    key: str | None,
    answer_type: type[B],
    effect: Callable[[], Awaitable[B]],
) -> B:
    """Runs the effect, or answers what it answered the first time. Raises `KeyReused` for another request."""
    if key is None:
        return await effect()
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + await request.body()).digest()
    # The row is written first: a concurrent repeat waits on it and then finds the answer.
    claimed = await run(
        session,
        "insert into idempotency_key (account_id, key, request_hash, answer, created_at) values ($1, $2, $3, '', $4) "
        "on conflict do nothing returning key",
        account_id,
        key,
        digest,
        clock.now(),
    )
    if not claimed:
        record = await session.get_one(IdempotencyRecord, (account_id, key))
        if record.request_hash != digest:
            raise KeyReused
        return answer_type.model_validate_json(record.answer)
    answer = await effect()
    await run(
        session,
        "update idempotency_key set answer = $3 where account_id = $1 and key = $2",
        account_id,
        key,
        answer.model_dump_json().encode(),
    )
    return answer
