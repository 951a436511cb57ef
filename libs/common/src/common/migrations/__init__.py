"""Alembic for all services: the tables of `common` are one branch, the service's own are the other."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from common.database_url import engine_of, read_database_url
from common.db import Database

# One migration at a time per database: the advisory lock's number, "migrate" in ASCII.
_LOCK = 0x6D696772617465


def configuration(package: str) -> Config:
    """Alembic's configuration for one package's database."""
    own = Path(str(import_module(package).__file__)).parent / "migrations" / "versions"
    here = Path(__file__).parent
    config = Config()
    config.set_main_option("script_location", str(here))
    config.set_main_option("path_separator", "newline")
    locations = dict.fromkeys((here / "versions", own))  # `common` has but its own
    config.set_main_option("version_locations", "\n".join(map(str, locations)))
    return config


@cache
def heads(package: str) -> frozenset[str]:
    """The revisions that a database of this package should be at."""
    return frozenset(ScriptDirectory.from_config(configuration(package)).get_heads())


async def upgrade(url: str, package: str) -> None:
    """Brings a database to the newest revisions; safe to run from several places at once."""
    engine = engine_of(read_database_url(url), application_name="migrate", poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade, package)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, package: str) -> None:
    config = configuration(package)
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def sql(package: str, buffer: Any) -> None:
    """Writes the whole migration as SQL, for a linter or a careful operator."""
    config = configuration(package)
    config.output_buffer = buffer
    command.upgrade(config, "heads", sql=True)


async def missing(database: Database, package: str) -> Sequence[str]:
    """The head revisions that the database has not reached."""
    async with database.engine.connect() as connection:
        found = await connection.execute(text("select to_regclass('alembic_version')"))
        if found.scalar_one() is None:
            return sorted(heads(package))
        rows = await connection.execute(text("select version_num from alembic_version"))
        return sorted(heads(package) - {row[0] for row in rows})
