"""All that the trade asks of our HTTP API, through whichever replica answers; what is accepted counts as wanted."""

import asyncio
import time
from typing import Any

from common.http import AsyncClient, NotSent, OutcomeUnknown, Response, client

_ONE_TRY, _ALL_TRIES = 5.0, 150.0
_CONSENTS = 10
_COMES_BACK = {401, 409, 429, 500, 502, 503, 504}


class Refused(RuntimeError):
    """A call that must be accepted was not."""


class Merchant:
    """Repeats each call, at one replica after the other, until it is accepted."""

    def __init__(self, replicas: dict[str, list[str]], api_key: str) -> None:
        self._replicas = replicas
        self._api_key = api_key
        self._token = ""
        self._http: AsyncClient = client(connect_timeout=2, read_timeout=_ONE_TRY)

    async def seller(self, name: str, selling_partner_id: str, marketplace_id: str) -> str:
        """A connection with its consent; its id."""
        body = {"name": name, "selling_partner_id": selling_partner_id, "marketplace_id": marketplace_id}
        pending = await self._call("auth", "POST", "/v1/connections", body)
        if not await self._consent(pending["consent_url"]):
            await self.consent_again(pending["id"])
        return str(pending["id"])

    async def consent_again(self, connection_id: str) -> None:
        """The seller authorises once more: every token of the grant before is dead."""
        for _ in range(_CONSENTS):
            begun = await self._call("auth", "POST", f"/v1/connections/{connection_id}/consent")
            if await self._consent(begun["consent_url"]):
                return
        raise Refused("no consent came back to us")

    async def channel(self, connection_id: str, marketplace_id: str) -> str:
        """A channel that listings and orders know, with its shipping mapped; its id."""
        address = {"name": "Shop", "line_1": "1 Warehouse Road", "city": "Springfield"}
        body = {
            "name": "US",
            "connection_id": connection_id,
            "marketplace_id": marketplace_id,
            "seller_of_record": "Shop Ltd",
            "return_address": address | {"postal_code": "12345", "country_code": "US"},
        }
        channel_id = str((await self._call("auth", "POST", "/v1/channels", body))["id"])
        await self._call("orders", "POST", f"/v1/channels/{channel_id}/shipping-mappings/defaults", known=False)
        await self._call("listings", "GET", f"/v1/operations?channel_id={channel_id}", known=False)
        return channel_id

    async def source(self, name: str, priority: int, stock: dict[str, int]) -> str:
        body = {"name": name, "kind": "supplier", "priority": priority}
        source_id = str((await self._call("compliance", "POST", "/v1/sources", body))["id"])
        rows = [{"sku": sku, "quantity": quantity} for sku, quantity in stock.items()]
        await self._call("compliance", "PUT", f"/v1/sources/{source_id}/inventory", {"rows": rows})
        await self.attest(source_id)
        return source_id

    async def attest(self, source_id: str) -> None:
        body = {"agreement_version": "2026-01", "attested_by": "Officer"}
        await self._call("compliance", "PUT", f"/v1/sources/{source_id}/attestation", body)

    async def withdraw(self, source_id: str) -> None:
        """A conflict says that it is not attested any more: the answer before was lost."""
        path = f"/v1/sources/{source_id}/attestation/withdraw"
        await self._call("compliance", "POST", path, {"withdrawn_by": "Officer"}, done=409)

    async def list_and_link(self, channel_id: str, listings: list[dict[str, Any]]) -> None:
        rows = [{"channel_id": channel_id} | listing for listing in listings]
        answer = await self._call("listings", "POST", "/v1/listings", {"listings": rows})
        if answer["errors"]:
            raise Refused(str(answer["errors"]))
        await self._call("listings", "POST", "/v1/operations", {"operation": "link", "channel_id": channel_id})

    async def change(self, channel_id: str, change: dict[str, Any]) -> None:
        answer = await self._call(
            "listings", "POST", "/v1/listings/changes", {"changes": [{"channel_id": channel_id} | change]}
        )
        if answer.get("errors"):
            raise Refused(str(answer["errors"]))

    async def correct_parcel(self, shipment_id: str, changes: dict[str, str]) -> None:
        """Once orders knows the parcel and is not just sending it."""
        await self._call("orders", "PATCH", f"/v1/shipments/{shipment_id}", changes, known=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def _call(
        self, service: str, method: str, path: str, body: Any = None, *, known: bool = True, done: int = 0
    ) -> Any:
        """`known` False: that it is not found yet passes by itself. `done`: a status that says so already."""
        ends = time.monotonic() + _ALL_TRIES
        turn = 0
        while True:
            answer = await self._try(self._replicas[service][turn % 2], method, path, body)
            if answer is not None and answer.status_code < 300:
                return answer.json() if answer.content else None
            status = answer.status_code if answer is not None else 0
            if done and status == done:
                return None
            said = f"{answer.status_code} {answer.text[:300]}" if answer is not None else "no answer"
            passes = not status or status in _COMES_BACK or (status == 404 and not known)
            if not passes or time.monotonic() > ends:
                raise Refused(f"{method} {service}{path}: {said}")
            if status == 401:
                await self._sign_in()
            turn += 1
            await asyncio.sleep(0.2)

    async def _try(self, base: str, method: str, path: str, body: Any) -> Response | None:
        try:
            async with asyncio.timeout(_ONE_TRY):
                headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
                return await self._http.request(method, base + path, json=body, headers=headers)
        except (NotSent, OutcomeUnknown, TimeoutError):
            return None

    async def _sign_in(self) -> None:
        for base in self._replicas["auth"]:
            try:
                async with asyncio.timeout(_ONE_TRY):
                    headers = {"authorization": f"Bearer {self._api_key}"}
                    answer = await self._http.post(f"{base}/v1/token", headers=headers)
            except (NotSent, OutcomeUnknown, TimeoutError):
                continue
            if answer.status_code == 200:
                self._token = answer.json()["access_token"]
                return

    async def _consent(self, url: str) -> bool:
        """What a browser does: the consent page sends it to the redirect URI. A code whose answer was lost is used up:
        the seller begins anew."""
        first = await self._http.get(url)
        back = first.headers["location"]
        answer = await self._try(back.split("/v1/")[0], "GET", f"/v1/{back.split('/v1/', 1)[1]}", None)
        return answer is not None and answer.status_code < 300
