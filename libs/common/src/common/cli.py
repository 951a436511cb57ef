"""`python -m <service> serve|migrate|replay|rewrap`: the commands that every service has."""

import asyncio
import sys
import time
from typing import Any

import structlog
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from common import http, migrations, rewrapping, telemetry
from common.app import Runtime, Service, create_service_app
from common.crypto import KeyLost, KeyRing
from common.db import Database


def service_cli(service: Service[Any]) -> typer.Typer:
    """The service's command line; a service may add commands of its own."""
    cli = typer.Typer(no_args_is_help=True, help=f"Entrepot {service.name}", pretty_exceptions_enable=False)

    @cli.command()
    def serve() -> None:
        """Serves HTTP and, with the role `worker`, events and jobs, until SIGTERM."""
        settings = read_settings(service)
        telemetry.configure(service.name, settings.log_level)
        app = create_service_app(service, settings)
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_keep_alive=http.IDLE_SERVER_SECONDS,
            timeout_graceful_shutdown=15,
            server_header=False,
        )

    @cli.command()
    def migrate() -> None:
        """Brings the database to the newest revisions."""
        settings = read_settings(service)
        telemetry.configure(service.name, settings.log_level)
        asyncio.run(migrations.upgrade(str(settings.database_url), service.package))
        structlog.get_logger().info("migrated", package=service.package)

    @cli.command()
    def sql() -> None:
        """Prints the whole migration as SQL; nothing is executed."""
        migrations.sql(service.package, sys.stdout)

    @cli.command()
    def replay() -> None:
        """Handles the events that were set aside again, oldest first per key."""
        settings = read_settings(service)
        telemetry.configure(service.name, settings.log_level)
        typer.echo(f"{asyncio.run(_replay(Runtime(service, settings)))} events replayed")

    if service.sealed:

        @cli.command()
        def rewrap() -> None:
            """Wraps every stored secret by the first key of KEY_RING; run again, it goes on where rows are left."""
            settings = read_settings(service)
            telemetry.configure(service.name, settings.log_level)
            try:
                asyncio.run(_rewrap(service, settings))
            except KeyLost as lost:
                typer.echo(f"{lost}: put it back into KEY_RING, behind the first one", err=True)
                raise typer.Exit(1) from None

    return cli


async def _rewrap(service: Service[Any], settings: Any) -> None:
    key_ring = KeyRing.parse(settings.key_ring.get_secret_value())
    database = Database(str(settings.database_url), service=service.name, pool_size=2)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    try:
        total = await rewrapping.left(database, service.sealed, key_ring)
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(f"rewrap by {key_ring.active}", total=total)
            changed = await rewrapping.rewrap(
                database, service.sealed, key_ring, lambda count: progress.advance(task, count)
            )
        in_use = await rewrapping.keys_in_use(database, service.sealed)
    finally:
        await database.close()
    table = Table("table", "column", "key", "blobs")
    for (name, column, key_id), count in sorted(in_use.items()):
        table.add_row(name, column, key_id, f"{count:,}")
    console.print(table)
    old = sum(count for (_, _, key_id), count in in_use.items() if key_id != key_ring.active)
    console.print(f"{changed:,} wrapped anew in {time.monotonic() - began:.1f} s")
    if old:
        console.print(f"{old:,} are left on other keys: processes with the old KEY_RING still write; run again")
        raise typer.Exit(1)
    console.print(f"no row is left on another key than {key_ring.active}: the others may leave KEY_RING")


async def _replay(runtime: Runtime[Any]) -> int:
    consumer = runtime.consumer()
    try:
        return await consumer.replay() if consumer else 0
    finally:
        await runtime.close()


def read_settings(service: Service[Any]) -> Any:
    """The settings from the environment; a wrong or missing one is named, its value never shown."""
    try:
        return service.settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(map(str, problem["loc"])).upper() or "settings"
            typer.echo(f"{service.name}: {name}: {problem['msg']}", err=True)
        typer.echo("See .env.example for what each service reads.", err=True)
        raise typer.Exit(2) from None
