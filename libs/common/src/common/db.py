"""The engine, `transaction()` and the `Transaction` dependency: the only ways to a database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import DateTime, MetaData, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolIsBusy
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from common.database_url import engine_of, read_database_url

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_registry() -> registry:
    """A registry for one package's tables: each service has its own, so that equal names never clash."""
    return registry(metadata=MetaData(naming_convention=NAMES))


class CommonTable(SQLModel, registry=new_registry()):
    """Base of the tables that every service's database has."""


def UtcField(**options: Any) -> Any:  # noqa: N802 - reads as a kind of Field
    """A `timestamp with time zone` column."""
    return Field(sa_type=DateTime(timezone=True), **options)


class Database:
    """One service's database."""

    def __init__(self, url: str, *, service: str, pool_size: int = 10, pool_timeout: float = 10.0) -> None:
        """At most `pool_size` connections; who waits longer than `pool_timeout` seconds for one gets `PoolIsBusy`."""
        self.service = service
        self.url = read_database_url(url)
        self.engine: AsyncEngine = engine_of(
            self.url,
            application_name=service,
            settings={"idle_in_transaction_session_timeout": "30s", "timezone": "UTC", "jit": "off"},
            # No overflow: SQLAlchemy closes such a connection as soon as it is given back, and under load each
            # request would open one anew. The last one given back goes out first, so that few stay warm.
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_use_lifo=True,
            hide_parameters=True,  # an error's text must not quote rows
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_a_closed_one)
        self._sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)
        # Set after a commit that wrote outbox rows; the relay or the notifier of this process waits for it.
        self.outbox_written = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with self._sessions() as session:
            session.info["service"] = self.service
            async with session.begin():
                yield session
            if session.info.pop("outbox", False):
                self.outbox_written.set()

    async def ping(self) -> None:
        """Raises when the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def _refuse_a_closed_one(connection: Any, _record: object, _proxy: object) -> None:
    """A connection that died in the pool is not handed out, nor any that is older: after a restart of the database
    they are all dead, and each would cost one request. No question to the server: the driver has seen the end."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


async def _transaction(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.runtime.db
    async with database.transaction() as session:
        yield session


# scope="function": the commit happens before the answer leaves, so a failing commit is never answered 2xx.
Transaction = Annotated[AsyncSession, Depends(_transaction, scope="function")]

# Connection exceptions, insufficient resources, operator intervention, deadlocks and serialization failures.
_TRANSIENT_CLASSES = ("08", "40", "53", "57")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed a moment later: the database was away, restarted, busy, or chose a victim."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
        return error.connection_invalidated or str(state).startswith(_TRANSIENT_CLASSES) or not state
    return isinstance(error, PoolIsBusy | ConnectionError | TimeoutError | OSError)


def is_unstorable(error: BaseException) -> bool:
    """Whether a value was refused for what it is (out of range, U+0000, too long for an index): it always will be."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return str(state).startswith(("22", "54"))
