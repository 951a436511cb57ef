"""What models say and migrations do not: `python -m common.migrations.drift PACKAGE [MESSAGE]` prints or writes it."""

import asyncio
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.pool import NullPool
from sqlmodel.sql.sqltypes import AutoString

from common import migrations
from common.database_url import engine_of, read_database_url


def metadata(package: str) -> list[MetaData]:
    """The tables that the package declares (`common` stands for those of every service)."""
    module = import_module("common.common_tables" if package == "common" else f"{package}.models")
    return list(module.METADATA)


def _ours(tables: list[MetaData]) -> Any:
    names = {name for one in tables for name in one.tables}

    def include(_object: Any, name: str, kind: str, reflected: bool, compare_to: Any) -> bool:
        return kind != "table" or name in names

    return include


def _render(kind: str, item: Any, _context: Any) -> str | bool:
    """Revisions speak SQLAlchemy alone: SQLModel's string type is its String."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


def difference(connection: Connection, package: str) -> list[Any]:
    """What would have to be migrated for the database to match the models; empty when nothing."""
    tables = metadata(package)
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_object": _ours(tables), "target_metadata": tables}
    )
    return list(compare_metadata(context, tables))  # type: ignore[arg-type]


def write(connection: Connection, package: str, message: str) -> None:
    """Writes the difference as the package's next revision."""
    config = migrations.configuration(package)
    tables = metadata(package)
    config.attributes.update(
        connection=connection, target_metadata=tables, include_object=_ours(tables), render_item=_render
    )
    own = Path(str(import_module(package).__file__)).parent / "migrations" / "versions"
    number = len(list(own.glob("*.py"))) + 1
    label = package.removesuffix("_service")
    first: dict[str, Any] = {"head": "base", "branch_label": label} if number == 1 else {"head": f"{label}@head"}
    command.revision(config, message, autogenerate=True, version_path=str(own), rev_id=f"{label}_{number:04}", **first)


async def _main(package: str, message: str | None) -> None:
    """Needs DATABASE_URL of a database that is migrated as far as the revisions go."""
    engine = engine_of(read_database_url(os.environ["DATABASE_URL"]), application_name="drift", poolclass=NullPool)
    async with engine.begin() as connection:
        if message:
            await connection.run_sync(write, package, message)
        else:
            typer.echo("\n".join(map(str, await connection.run_sync(difference, package))) or "no difference")
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
