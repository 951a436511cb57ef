"""The lean way to read: one statement in its own snapshot, its rows as they come off the wire.

A `Transaction` costs a BEGIN, a COMMIT and the ORM's objects: five times a plain statement. A GET that needs nothing
but its rows takes this door; whatever writes or locks takes the other one.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import SQLModel

from common.errors import DatabaseUnavailable

# An asyncpg record: `dict(row)` has all of it.
Row = Mapping[str, Any]


@lru_cache(maxsize=256)
def columns(model: type[SQLModel], alias: str) -> str:
    """The table's columns for a `select`, each as `alias.name`."""
    return ", ".join(f'{alias}."{column.name}"' for column in model.__table__.c)  # type: ignore[attr-defined]


class Reads:
    """Statements with `$1` parameters over the engine's own pool. JSONB comes decoded."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """Every row. Raises `DatabaseUnavailable` when the database is away or too busy."""
        try:
            pooled = await self._engine.raw_connection()
            try:
                driver: Any = pooled.driver_connection
                found: list[Row] = await driver.fetch(sql, *parameters)
            except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
                pooled.invalidate()  # the pool does not see the driver's errors
                raise
            finally:
                pooled.close()  # gives it back at once: no transaction was begun
            return found
        except (
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
            asyncpg.InterfaceError,
            SQLAlchemyError,
            OSError,
        ) as error:
            raise DatabaseUnavailable(headers={"Retry-After": "1"}) from error

    async def row(self, sql: str, *parameters: Any) -> Row | None:
        """The first row, or None. Raises `DatabaseUnavailable`."""
        found = await self.rows(sql, *parameters)
        return found[0] if found else None


async def _reads(request: Request) -> Reads:
    reads: Reads = request.app.state.runtime.reads
    return reads


Reading = Annotated[Reads, Depends(_reads)]
