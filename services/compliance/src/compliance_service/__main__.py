"""`python -m compliance_service serve|migrate|sql|replay|replay-decisions`."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from common.cli import read_settings, service_cli
from common.db import Database
from common.settings import DatabaseSettings
from compliance_service.app import SERVICE
from compliance_service.replaying import Tally, replay_all

cli = service_cli(SERVICE)


@cli.command()
def replay_decisions(
    account: Annotated[UUID | None, typer.Option(help="only this account's decisions")] = None,
) -> None:
    """Takes every stored decision again from what it saw; exits with 1 when one comes out differently."""
    tally = asyncio.run(_replay(read_settings(SERVICE, DatabaseSettings).database_url.get_secret_value(), account))
    for order_id, version in tally.named:
        typer.echo(f"order {order_id}, decision {version}: differs", err=True)
    typer.echo(f"{tally.same} decisions the same, {tally.different} different")
    if tally.different:
        raise typer.Exit(1)


async def _replay(database_url: str, account: UUID | None) -> Tally:
    database = Database(database_url, service=SERVICE.name)
    try:
        return await replay_all(database, account)
    finally:
        await database.close()


if __name__ == "__main__":
    cli()
