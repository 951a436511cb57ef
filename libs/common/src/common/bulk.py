"""Set-based writes: `unnest` SQL made from a SQLModel table, one statement for a page of rows.

Measured 0.72-0.81 of raw asyncpg, where `add_all` reaches 0.19-0.23 (PERFORMANCE C.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CursorResult, Table
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=256)
def insert_sql(model: type[SQLModel], columns: tuple[str, ...], suffix: str) -> str:
    """`insert into ... select * from unnest($1::type[], ...)` with a suffix such as `on conflict ... returning ...`."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    names = ", ".join(f'"{name}"' for name in columns)
    arrays = ", ".join(f"${position}::{_type_of(table, name)}[]" for position, name in enumerate(columns, 1))
    return f'insert into "{table.name}" ({names}) select * from unnest({arrays}) {suffix}'  # noqa: S608 - own names


def _type_of(table: Table, name: str) -> str:
    """The column's type without its collation, which an array's cast does not take."""
    return table.c[name].type.compile(dialect=_DIALECT).partition(" COLLATE ")[0]


async def insert_page(
    session: AsyncSession,
    model: type[SQLModel],
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    suffix: str = "",
) -> Sequence[Any]:
    """Inserts rows (tuples in the order of `columns`) and answers the rows of the suffix's `returning`, if any.

    JSONB columns take JSON text. The unique key must not repeat inside one page when the suffix updates.
    """
    if not rows:
        return []
    return await run(session, insert_sql(model, columns, suffix), *map(list, zip(*rows, strict=True)))


async def run(session: AsyncSession, sql: str, *parameters: Any) -> Sequence[Any]:
    """Runs one statement with `$1` parameters inside the session's transaction; answers its rows, if it has any."""
    connection = await session.connection()
    result: CursorResult[Any] = await connection.exec_driver_sql(sql, parameters)
    return result.fetchall() if result.returns_rows else []
