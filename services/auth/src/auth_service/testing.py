"""Hands for tests: a running auth service beside the local Amazon, its tenants and their browser. Never imported by
product code."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import stamina
from pydantic import SecretStr

from auth_service import identity
from auth_service.access_tokens import TokenBroker
from common import http
from common.app import Runtime
from common.contracts.connections import ConnectionEvent
from common.http import AsyncClient, Response
from common.testing.amazon import REDIRECT_URI, Amazon
from common.testing.events import published

US, MX, UK, DE = "ATVPDKIKX0DER", "A1AM78C64UM0Y8", "A1F83G8C2ARO7P", "A1PA6795UKMFR9"


def amazon_settings(amazon: Amazon) -> dict[str, Any]:
    """The three development apps of the local Amazon."""
    settings: dict[str, Any] = {
        "amazon_lwa_url": amazon.urls["lwa"],
        "amazon_consent_url": amazon.urls["consent"],
        "amazon_redirect_uri": REDIRECT_URI,
    }
    for region in ("na", "eu", "fe"):
        settings |= {
            f"amazon_app_id_{region}": f"amzn1.sellerapps.app.entrepot-dev-{region}",
            f"amazon_client_id_{region}": f"amzn1.application-oa2-client.entrepot-dev-{region}",
            f"amazon_client_secret_{region}": f"dev-only-secret-{region}",
            f"amazon_developer_name_{region}": f"Entrepot Development {region.upper()}",
            f"amazon_developer_account_{region}": f"1000-{region.upper()}",
        }
    return settings


@dataclass
class Tenant:
    """An account of the platform with its first key and a token of it."""

    account_id: UUID
    key: str
    headers: dict[str, str]


class Desk:
    """A test's hands on auth and on Amazon."""

    def __init__(self, runtime: Runtime[Any], http: AsyncClient, amazon: Amazon) -> None:
        self.runtime = runtime
        self.http = http
        self.amazon = amazon
        # The cookie of this desk's browser; our client keeps none by itself.
        self.browser: dict[str, str] = {}

    def remember(self, answer: Response) -> Response:
        """Keeps the cookie that an answer sets, as a browser does."""
        if cookie := answer.headers.get("set-cookie"):
            self.browser = {"cookie": cookie.split(";")[0]}
        return answer

    @property
    def nonce_hash(self) -> bytes:
        """What the database knows of this desk's browser."""
        return hashlib.sha256(self.browser["cookie"].partition("=")[2].encode()).digest()

    @property
    def broker(self) -> TokenBroker:
        assert isinstance(self.runtime.access, TokenBroker)
        return self.runtime.access

    async def tenant(self, name: str = "Shop") -> Tenant:
        async with self.runtime.db.transaction() as session:
            account, _, key = await identity.create_account(session, name)
        return Tenant(account.id, key, await self.login(key))

    async def login(self, key: str) -> dict[str, str]:
        answer = await self.http.post("/v1/token", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    async def service_key(self, name: str = "orders") -> str:
        async with self.runtime.db.transaction() as session:
            return (await identity.create_service_key(session, name))[1]

    async def service_headers(self) -> dict[str, str]:
        return await self.login(await self.service_key())

    async def operator_headers(self) -> dict[str, str]:
        async with self.runtime.db.transaction() as session:
            _, key = await identity.create_operator_key(session, "operator")
        return await self.login(key)

    async def seller(self, selling_partner_id: str = "A1SELLER", marketplaces: tuple[str, ...] = (US, MX)) -> None:
        """A seller at Amazon, signed in to the browser."""
        region = "EU" if UK in marketplaces else "NA"
        seller = {"selling_partner_id": selling_partner_id, "region": region, "name": selling_partner_id}
        await self.amazon.dial("POST", "/sandbox/sellers", seller | {"marketplaces": list(marketplaces)})
        await self.sign_in(selling_partner_id, region)

    async def sign_in(self, selling_partner_id: str, region: str = "NA") -> None:
        signed_in = {"region": region, "selling_partner_id": selling_partner_id}
        await self.amazon.dial("POST", "/sandbox/sign-in", signed_in)

    async def create(self, tenant: Tenant, selling_partner_id: str = "A1SELLER", marketplace_id: str = US) -> Any:
        body = {"name": "Main", "selling_partner_id": selling_partner_id, "marketplace_id": marketplace_id}
        answer = await self.post(tenant, "/v1/connections", body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def visit(self, consent_url: str) -> dict[str, str]:
        """The seller says yes; answers the query that Amazon sends the browser back with."""
        answer = await self.http.get(consent_url)
        assert answer.status_code == 302, answer.text
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    async def callback(self, query: dict[str, str]) -> Response:
        return await self.http.get("/v1/oauth/callback", params=query, headers=self.browser)

    async def connect(self, tenant: Tenant, selling_partner_id: str = "A1SELLER", marketplace_id: str = US) -> Any:
        """An active connection, by the whole round trip."""
        created = await self.create(tenant, selling_partner_id, marketplace_id)
        answer = await self.callback(await self.visit(created["consent_url"]))
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "active"
        return answer.json()

    async def post(self, tenant: Tenant, path: str, body: Any = None) -> Response:
        return self.remember(await self.http.post(path, json=body, headers=tenant.headers | self.browser))

    async def announced(self) -> list[ConnectionEvent]:
        """What the outbox holds for `entrepot.connections`, in order."""
        return [event for event in await published(self.runtime.db) if isinstance(event, ConnectionEvent)]

    async def refreshes(self) -> int:
        """How often an access token was asked of Amazon with a refresh token."""
        books = await self.amazon.dial("GET", "/sandbox/books/tokens")
        return int(books["issued_by_grant_type"].get("refresh_token", 0))

    async def notified(self, tenant: Tenant) -> list[str]:
        """The codes of the account's notifications, the oldest first."""
        items = (await self.http.get("/v1/notifications", headers=tenant.headers)).json()["items"]
        return [item["code"] for item in reversed(items)]

    async def audited(self, tenant: Tenant) -> list[Any]:
        """The account's audit trail, the oldest first."""
        items = (await self.http.get("/v1/audit-entries", headers=tenant.headers)).json()["items"]
        return list(reversed(items))

    async def sql(self, statement: str, *parameters: Any) -> list[Any]:
        async with self.runtime.db.transaction() as session:
            result = await (await session.connection()).exec_driver_sql(statement, parameters)
            return list(result.fetchall()) if result.returns_rows else []


@asynccontextmanager
async def served(desk: Desk, port: int, log: Path, **environment: str) -> AsyncIterator[Desk]:
    """Another auth, as a process of its own over the same database, whose log goes to a file; a desk before it."""
    settings = desk.runtime.settings
    own = {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings
        if name.startswith("amazon_") and value is not None
    }
    own |= {
        "ENVIRONMENT": "test",
        "ROLES": "api",
        "LOG_LEVEL": "DEBUG",
        "PORT": str(port),
        "DATABASE_URL": desk.runtime.db.url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "AUTH_URL": str(settings.auth_url),
        "SERVICE_KEY": "none",
        "KEY_RING": settings.key_ring.get_secret_value(),
    }
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "auth_service", "serve"), env=own | environment, stdout=written, stderr=written
        )
    try:
        async with http.client() as client:
            client.base_url = f"http://127.0.0.1:{port}"
            async for attempt in stamina.retry_context(on=http.NotSent, attempts=None, timeout=60, wait_max=0.2):
                with attempt:
                    await client.get("/healthz")
            yield type(desk)(desk.runtime, client, desk.amazon)
    finally:
        process.terminate()
        await process.wait()
