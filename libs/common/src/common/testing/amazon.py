"""The local Amazon as a process of the test session, driven by its dials over HTTP."""

import json
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from common.amazon.client import Seller
from common.contracts.connections import Region
from common.http import AsyncClient
from common.testing.identity import SandboxAccess

REDIRECT_URI = "http://127.0.0.1:1/callback"


class LocalAmazon:
    """One sandbox process; `reset()` between tests empties its world."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "amazon_sandbox", "--auto-consent", "--redirect-uri", REDIRECT_URI]
        command += [part for name in ("port", "na-port", "eu-port", "fe-port") for part in (f"--{name}", "0")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.urls: dict[str, str] = json.loads(self._process.stdout.readline())

    @property
    def endpoints(self) -> dict[str, str]:
        """SP-API base URLs by region."""
        return {region: self.urls[region.lower()] for region in ("NA", "EU", "FE")}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Amazon:
    """A test's hands on the local Amazon."""

    def __init__(self, local: LocalAmazon, http: AsyncClient) -> None:
        self._local = local
        self._http = http
        self.urls = local.urls
        self.endpoints = local.endpoints
        self.access = SandboxAccess(http, local.urls["lwa"])

    async def dial(self, method: str, path: str, body: Any = None) -> Any:
        """Turns a dial, e.g. `dial("POST", "/sandbox/sellers", {...})`; answers its JSON."""
        answer = await self._http.request(method, self.urls["dials"] + path, json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def reset(self) -> None:
        """An empty world with visible writes at once, no lag and no quotas; a test that wants Amazon's sets them."""
        await self.dial("DELETE", "/sandbox/world")
        await self.dial("DELETE", "/sandbox/faults")
        settings = {
            "listing_delay_s": 0,
            "shipment_delay_s": 0,
            "search_lag_s": 0,
            "quotas": {"enabled": False},
            "auto_consent": True,
        }
        await self.dial("PUT", "/sandbox/settings", settings)

    async def seller(
        self,
        account_id: UUID,
        connection_id: UUID,
        *,
        selling_partner_id: str = "A1TESTSELLER",
        region: Region = "NA",
        marketplace_ids: tuple[str, ...] = ("ATVPDKIKX0DER",),
    ) -> Seller:
        """A seller of Amazon's who has authorised the development app; ready for `AmazonClient.call`."""
        seller = {
            "selling_partner_id": selling_partner_id,
            "region": region,
            "name": selling_partner_id,
            "marketplaces": list(marketplace_ids),
        }
        await self.dial("POST", "/sandbox/sellers", seller)
        await self.dial("POST", "/sandbox/sign-in", {"region": region, "selling_partner_id": selling_partner_id})
        app = f"entrepot-dev-{region.lower()}"
        consent = await self._http.get(
            f"{self.urls['consent']}/apps/authorize/consent",
            params={"application_id": f"amzn1.sellerapps.app.{app}", "state": "test", "redirect_uri": REDIRECT_URI},
        )
        assert consent.status_code == 302, consent.text
        code = parse_qs(urlsplit(consent.headers["location"]).query)["spapi_oauth_code"][0]
        client = {
            "client_id": f"amzn1.application-oa2-client.{app}",
            "client_secret": f"dev-only-secret-{region.lower()}",
        }
        exchange = {"grant_type": "authorization_code", "code": code} | client
        answer = await self._http.post(f"{self.urls['lwa']}/auth/o2/token", data=exchange)
        assert answer.status_code == 200, answer.text
        self.access.grant(connection_id, refresh_token=answer.json()["refresh_token"], **client)
        return Seller(account_id, connection_id, selling_partner_id, region)
