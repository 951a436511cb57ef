"""`python -m <service> serve|migrate|replay|rewrap`: the commands that every service has."""

import asyncio
import gc
import sys
from typing import Any, TypeVar

import structlog
import typer
import uvicorn
from pydantic import ValidationError

from common import http_server, migrations, telemetry
from common.app import Runtime, Service, create_service_app
from common.crypto import KeyLost
from common.settings import DatabaseSettings, SealingSettings

T = TypeVar("T", bound=DatabaseSettings)


def service_cli(service: Service[Any]) -> typer.Typer:
    """The service's command line; a service may add commands of its own."""
    cli = typer.Typer(no_args_is_help=True, help=f"Entrepot {service.name}", pretty_exceptions_enable=False)

    @cli.command()
    def serve() -> None:
        """Serves HTTP and, with the role `worker`, events and jobs, until SIGTERM."""
        settings = read_settings(service, service.settings)
        telemetry.configure(service.name, settings.log_level)
        app = create_service_app(service, settings)
        freeze_startup()
        server = uvicorn.Server(http_server.configuration(app, settings, port=settings.port))
        server.run()
        if not server.started:
            raise typer.Exit(3)

    @cli.command()
    def migrate() -> None:
        """Brings the database to the newest revisions."""
        settings = read_settings(service, DatabaseSettings)
        telemetry.configure(service.name, settings.log_level)
        asyncio.run(migrations.upgrade(settings.database_url.get_secret_value(), service.package))
        structlog.get_logger().info("migrated", package=service.package)

    @cli.command()
    def sql() -> None:
        """Prints the whole migration as SQL; nothing is executed."""
        migrations.sql(service.package, sys.stdout)

    @cli.command()
    def replay() -> None:
        """Handles the events that were set aside again, oldest first per key."""
        settings = read_settings(service, service.settings)
        telemetry.configure(service.name, settings.log_level)
        typer.echo(f"{asyncio.run(_replay(Runtime(service, settings)))} events replayed")

    if service.all_sealed:

        @cli.command()
        def rewrap() -> None:
            """Wraps every stored secret by the first key of KEY_RING; run again, it goes on where rows are left."""
            # Only here: a service that serves need not hold what draws a progress bar (4 MiB in each process).
            from common.rewrap_command import rewrap_all

            settings = read_settings(service, SealingSettings)
            telemetry.configure(service.name, settings.log_level)
            try:
                done = asyncio.run(rewrap_all(service, settings))
            except KeyLost as lost:
                typer.echo(f"{lost}: put it back into KEY_RING, behind the first one", err=True)
                raise typer.Exit(1) from None
            if not done:
                raise typer.Exit(1)

    return cli


def freeze_startup() -> None:
    """Takes what the start has made out of every later garbage collection: modules, models and routes live as long as
    the process, and walking them all stops it for 100 ms again and again under load."""
    gc.collect()
    gc.freeze()


async def _replay(runtime: Runtime[Any]) -> int:
    consumer = runtime.consumer()
    try:
        return await consumer.replay() if consumer else 0
    finally:
        await runtime.close()


def read_settings(service: Service[Any], needed: type[T]) -> T:
    """What is needed of the settings, from the environment; a wrong or missing one is named, its value never shown."""
    try:
        return needed()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(map(str, problem["loc"])).upper() or "settings"
            typer.echo(f"{service.name}: {name}: {problem['msg']}", err=True)
        typer.echo("See .env.example for what each service reads.", err=True)
        raise typer.Exit(2) from None
