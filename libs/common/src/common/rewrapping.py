"""Rotating the key ring: what is wrapped by an older key is wrapped anew by the active one, online and resumable.

1. Put the new key first in KEY_RING of every process of the service and restart them: all read both, write the new one.
2. `python -m <service> rewrap`: page by page, each a short transaction; a row that changes meanwhile is left to its
   writer. Ended at any point, it goes on where rows are left.
3. When it says that no row is left, take the old key out of KEY_RING.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.bulk import run
from common.crypto import Context, KeyRing
from common.db import Database

PAGE = 500


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of blobs made by `KeyRing.seal` or `KeyRing.wrap`.

    `account` is the column with the row's account, or None where the platform owns it; `record` is the column whose
    text the blob is bound to. `key`, of PostgreSQL type `key_type`, orders the pages: the first of the primary key's.
    """

    table: str
    column: str
    purpose: str
    account: str | None = "account_id"
    record: str = "id"
    key: str = "id"
    key_type: str = "uuid"

    def context(self, account_id: UUID | None, record: Any) -> Context:
        return Context(account_id or UUID(int=0), str(record), self.purpose)


def head(key_ring: KeyRing) -> bytes:
    """What every blob begins with that the active key has wrapped."""
    return key_ring.head_of(key_ring.active)


async def left(database: Database, columns: Sequence[SealedColumn], key_ring: KeyRing) -> int:
    """How many blobs the active key has not wrapped."""
    begins = head(key_ring)
    total = 0
    async with database.transaction() as session:
        for one in columns:
            sql = f'select count(*) from "{one.table}" where {_older(one)}'  # noqa: S608 - own names
            total += (await run(session, sql, begins, len(begins)))[0][0]
    return total


async def keys_in_use(database: Database, columns: Sequence[SealedColumn]) -> Mapping[tuple[str, str, str], int]:
    """Blobs by table, column and key id: the proof that a key is used no more."""
    counts: dict[tuple[str, str, str], int] = {}
    async with database.transaction() as session:
        for one in columns:
            # The id stands after the version's and its own length's byte.
            key_id = f"""convert_from(substring("{one.column}" from 3 for get_byte("{one.column}", 1)), 'utf8')"""
            sql = f'select {key_id}, count(*) from "{one.table}" where "{one.column}" is not null group by 1'  # noqa: S608
            for name, count in await run(session, sql):
                counts[one.table, one.column, name] = count
    return counts


async def rewrap(
    database: Database,
    columns: Sequence[SealedColumn],
    key_ring: KeyRing,
    done: Callable[[int], None],
    *,
    page_size: int = PAGE,
) -> int:
    """Wraps everything by the active key; tells `done` how many after each page of at most `page_size`, answers how
    many in all.

    Raises `KeyLost` when a row's key is not in the ring: nothing of that page is changed.
    """
    total = 0
    for one in columns:
        # Another pass finds what a page's border or a writer left out; the last one finds nothing.
        while changed := await _pass(database, one, key_ring, done, page_size):
            total += changed
    return total


async def _pass(
    database: Database, one: SealedColumn, key_ring: KeyRing, done: Callable[[int], None], page_size: int
) -> int:
    changed, after = 0, None
    while page := await _page(database, one, key_ring, after, page_size):
        after = page[-1][0]
        fresh = [
            (key, old, key_ring.rewrap(old, one.context(account_id, record))) for key, account_id, record, old in page
        ]
        written = await _write(database, one, fresh)
        done(written)
        changed += written
    return changed


async def _page(database: Database, one: SealedColumn, key_ring: KeyRing, after: Any, page_size: int) -> Sequence[Any]:
    begins = head(key_ring)
    account = f'"{one.account}"' if one.account else "null::uuid"
    beyond = "" if after is None else f'and "{one.key}" > $3 '
    sql = (
        f'select "{one.key}", {account}, "{one.record}", "{one.column}" from "{one.table}" '  # noqa: S608 - own names
        f'where {_older(one)} {beyond}order by "{one.key}" limit {page_size}'
    )
    async with database.transaction() as session:
        return await run(session, sql, begins, len(begins), *(() if after is None else (after,)))


async def _write(database: Database, one: SealedColumn, fresh: Sequence[tuple[Any, bytes, bytes]]) -> int:
    """Only where the blob is still the one that was read: whoever has written meanwhile used the active key."""
    keys, old, new = zip(*fresh, strict=True)
    sql = (
        f'update "{one.table}" t set "{one.column}" = n.new '  # noqa: S608 - own names
        f"from unnest($1::{one.key_type}[], $2::bytea[], $3::bytea[]) as n(key, old, new) "
        f'where t."{one.key}" = n.key and t."{one.column}" = n.old returning 1'
    )
    async with database.transaction() as session:
        return len(await run(session, sql, list(keys), list(old), list(new)))


def _older(one: SealedColumn) -> str:
    return f'"{one.column}" is not null and substring("{one.column}" from 1 for $2::int) <> $1::bytea'
