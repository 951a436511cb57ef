"""After a day's work and what goes wrong in one: no token, secret or key in any database, log or topic."""

import asyncio
import base64
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from common.http import client
from local_stack.demo.hands import StepFailed
from local_stack.demo.report import Report
from local_stack.demo.running import new_stack, tell
from local_stack.demo.story import STEPS, Story
from local_stack.services import NAMES, SERVICES, create_account
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

PLANTED_TOKEN = "Atzr|planted-refresh-token-4711"
PLANTED_STATE = "planted-amazon-state-4711"
PLANTED_CODE = "planted-oauth-code-4711"
APP = "amzn1.sellerapps.app.entrepot-dev-na"
# Whatever Amazon gave: its refresh and access tokens, and every JWT of ours, begin like this.
LOOKS = {"a refresh token": b"Atzr|", "an access token": b"Atza|", "a JWT": b"eyJhbGciOi"}


class Watched(Story):
    """The demo's story, then what an ordinary bad day adds; while everything still runs, everything is read."""

    stack: Stack
    found: dict[str, list[str]]

    async def run(self) -> None:
        await super().run()
        planted = await self._bad_day()
        secrets = LOOKS | {name: text.encode() for name, text in (self._planted() | planted).items()}
        await asyncio.sleep(2)  # the relay empties the outboxes
        for name, read in (
            ("databases", await self._databases()),
            ("logs", _logs(self.stack.log_dir)),
            ("topics", await self._topics()),
        ):
            # What is not secret is found: the search looks at the right things.
            connection_id = next(iter(self.connections.values())).encode()
            assert any(connection_id in content for content in read.values()), f"no connection in the {name}"
            self.found[name] = _hits(read, secrets)

    async def _bad_day(self) -> dict[str, str]:
        """Wrong tokens, a forged callback, a key that is made and revoked, a grant that ends; what was secret in it."""
        new = {"name": "x", "selling_partner_id": "A1PLANTED", "marketplace_id": "ATVPDKIKX0DER"}
        for refused in (PLANTED_TOKEN, PLANTED_TOKEN * 80):
            with pytest.raises(StepFailed):
                body = new | {"refresh_token": refused}
                await self.merchant.call("auth", "POST", "/v1/connections/self-authorized", body)
        auth = self.stack.addresses["auth"]
        async with client() as http:
            back = {"state": PLANTED_STATE, "selling_partner_id": "A1PLANTED", "spapi_oauth_code": PLANTED_CODE}
            assert (await http.get(f"{auth}/v1/oauth/callback", params=back)).status_code == 400
            begun = {"amazon_state": PLANTED_STATE, "selling_partner_id": "A1PLANTED"}
            page = f"{self.stack.addresses['sandbox']}/apps/authorize/confirm/{APP}"
            for uri, status in ((page, 200), ("https://evil.example/", 400)):
                answer = await http.get(f"{auth}/v1/oauth/login", params=begun | {"amazon_callback_uri": uri})
                assert answer.status_code == status
        key = await self.merchant.call("auth", "POST", "/v1/api-keys", {"name": "spare", "scopes": ["orders:read"]})
        await self.merchant.call("auth", "DELETE", f"/v1/api-keys/{key['id']}")
        seller, connection_id = next(iter(self.connections.items()))
        await self.amazon.dial("POST", f"/sellers/{seller.selling_partner_id}/revoke")
        with pytest.raises(StepFailed):
            await self.merchant.call("auth", "POST", f"/v1/connections/{connection_id}/check")
        return {
            "a token entered by hand": PLANTED_TOKEN,
            "Amazon's state": PLANTED_STATE,
            "a code": PLANTED_CODE,
            "a spare key": key["key"],
        }

    def _planted(self) -> dict[str, str]:
        """The secrets that this stack was started with."""
        given = self.stack.environment
        ring = given["KEY_RING"].partition(":")[2]
        known = {f"SERVICE_KEY_{name}": given[f"SERVICE_KEY_{name.upper()}"] for name in NAMES}
        known |= {f"the client secret of {region}": f"dev-only-secret-{region}" for region in ("na", "eu", "fe")}
        known |= {"the key ring": ring, "the key ring's bytes": base64.b64decode(ring).hex()}
        return known | {"the API key": self.merchant._api_key, "its token": self.merchant._token}

    async def _databases(self) -> Mapping[str, bytes]:
        """Every row of every table as text; what is stored as bytes is there as hex, too."""
        read: dict[str, bytes] = {}
        for name in NAMES:
            connection = await asyncpg.connect(self.stack.environment[f"{name.upper()}_DATABASE_URL"])
            tables = await connection.fetch(
                "select table_name from information_schema.tables where table_schema = 'public'"
            )
            for (table,) in tables:
                rows = await connection.fetch(f'select t::text from "{table}" t')
                read[f"{name}.{table}"] = "\n".join(row[0] for row in rows).encode()
            await connection.close()
        return read

    async def _topics(self) -> Mapping[str, bytes]:
        """Keys, values and headers of every message of every topic there is, ours or not."""
        servers = self.stack.environment["KAFKA_BOOTSTRAP_SERVERS"]
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
        names = sorted(name for name in await admin.list_topics() if not name.startswith("__"))
        await admin.close()
        read = dict.fromkeys(names, b"")
        async with AIOKafkaConsumer(*names, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
            parts = list(consumer.assignment())
            ends: Any = await consumer.end_offsets(parts)
            while any([await consumer.position(part) < ends[part] for part in parts]):
                for part, messages in (await consumer.getmany(timeout_ms=100)).items():
                    for message in messages:
                        headers = b"".join(value for _, value in message.headers)
                        read[part.topic] += (message.key or b"") + (message.value or b"") + headers
        assert read["entrepot.connections"]
        assert read["entrepot.orders"]
        return read


def _logs(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _hits(read: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> list[str]:
    """Where a secret stands, as it is or as hex; the secret itself is not told."""
    assert sum(map(len, read.values())) > 10_000, f"hardly anything was read: {sorted(read)}"
    found: Iterable[str] = (
        f"{name} in {place}"
        for place, content in read.items()
        for name, secret in secrets.items()
        if secret in content or secret.hex().encode() in content
    )
    return sorted(found)


@pytest.mark.row("A8")
@pytest.mark.row("A10")
def test_no_token_secret_or_key_is_left_in_a_database_a_log_or_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    assert "DATABASE_URL" not in os.environ
    stack = new_stack()
    stack.overrides["LOG_LEVEL"] = "DEBUG"
    screen = io.StringIO()
    report = Report(Console(file=screen, width=200), steps=len(STEPS))
    found: dict[str, list[str]] = {}
    watched = type("WatchedHere", (Watched,), {"stack": stack, "found": found})
    try:
        start_stack((*INFRASTRUCTURE, *SERVICES), stack, lambda _: None)
        failed = asyncio.run(tell(stack, report, create_account(stack, "Demo merchant"), watched))
    finally:
        stack.supervisor.stop()
    assert not failed, screen.getvalue()
    assert found == {"databases": [], "logs": [], "topics": []}
