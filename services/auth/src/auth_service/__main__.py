"""The command line of auth: what every service has, and the making of the first credentials."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import identity, signing
from auth_service.app import SERVICE
from common.cli import read_settings, service_cli
from common.crypto import KeyRing
from common.db import Database
from common.errors import InvalidRequest
from common.settings import DEVELOPMENT_MARK, DatabaseSettings, SealingSettings

cli = service_cli(SERVICE)

Name = Annotated[str, typer.Argument(help="what people call it")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


@cli.command()
def create_account(
    name: Name,
    account_id: Annotated[UUID | None, typer.Option(help="what an external OIDC issuer calls the account")] = None,
    as_json: AsJson = False,
) -> None:
    """Makes an account and its first API key, which holds every scope of an account. The key is shown this once."""

    async def make(session: AsyncSession) -> dict[str, object]:
        account, key, text = await identity.create_account(session, name, account_id)
        return {"account_id": str(account.id), "key_id": str(key.id), "key": text, "scopes": key.scopes}

    _print(asyncio.run(_in_transaction(make)), as_json)


@cli.command()
def create_service_key(name: Name, as_json: AsJson = False) -> None:
    """Makes the API key (SERVICE_KEY) of one of the platform's own services. The key is shown this once."""

    async def make(session: AsyncSession) -> dict[str, object]:
        key, text = await identity.create_service_key(session, name)
        return {"key_id": str(key.id), "key": text, "scopes": key.scopes}

    _print(asyncio.run(_in_transaction(make)), as_json)


@cli.command()
def create_operator_key(name: Name, as_json: AsJson = False) -> None:
    """Makes an API key of the platform's operator, who reads the platform's own notifications and nothing else."""

    async def make(session: AsyncSession) -> dict[str, object]:
        key, text = await identity.create_operator_key(session, name)
        return {"key_id": str(key.id), "key": text, "scopes": key.scopes}

    _print(asyncio.run(_in_transaction(make)), as_json)


@cli.command()
def rotate_signing_key() -> None:
    """Publishes the next key that signs JWTs; it signs a minute later, and what is signed already stays valid.

    Time does it too, every SIGNING_KEY_DAYS.
    """
    key_ring = KeyRing.parse(read_settings(SERVICE, SealingSettings).key_ring.get_secret_value())

    async def make(session: AsyncSession) -> dict[str, object]:
        return {"key_id": (await signing.add_signing_key(session, key_ring)).id}

    _print(asyncio.run(_in_transaction(make)), as_json=False)


@cli.command()
def register_service_key(names: Annotated[list[str], typer.Argument(help="services, e.g. listings orders")]) -> None:
    """Accepts keys that you made: reads each from SERVICE_KEY_<NAME>. Run again, it changes nothing."""

    production = read_settings(SERVICE, DatabaseSettings).environment == "production"

    async def register(session: AsyncSession) -> dict[str, object]:
        done: dict[str, object] = {}
        for name in names:
            text = os.environ.get(f"SERVICE_KEY_{name.upper()}", "")
            if production and DEVELOPMENT_MARK in text:
                raise InvalidRequest(f"the key of {name} is a development key")
            done[name] = "registered" if await identity.register_service_key(session, name, text) else "known"
        return done

    try:
        _print(asyncio.run(_in_transaction(register)), as_json=False)
    except InvalidRequest as error:
        typer.echo(f"{error}: set SERVICE_KEY_<NAME>", err=True)
        raise typer.Exit(2) from None


async def _in_transaction(make: Callable[[AsyncSession], Awaitable[dict[str, object]]]) -> dict[str, object]:
    database = Database(
        read_settings(SERVICE, DatabaseSettings).database_url.get_secret_value(), service=SERVICE.name, pool_size=1
    )
    try:
        async with database.transaction() as session:
            return await make(session)
    finally:
        await database.close()


def _print(made: dict[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(made))
        return
    for name, value in made.items():
        typer.echo(f"{name}: {' '.join(value) if isinstance(value, list) else value}")


if __name__ == "__main__":
    cli()
