"""One test over the OpenAPI of all four services: every operation refuses strangers with 401, a missing scope with 403,
and another account's ids with 404; nothing of the other account is changed or shown."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from auth_service.app import SERVICE as AUTH
from auth_service.scopes import ACCOUNT_SCOPES
from auth_service.testing import Desk, amazon_settings
from common.bulk import run
from common.http import Response
from common.testing.amazon import Amazon
from common.testing.identity import Issuer
from common.testing.plugin import Running, RunService
from compliance_service.app import SERVICE as COMPLIANCE
from compliance_service.testing import Merchant
from listings_service.app import SERVICE as LISTINGS
from listings_service.testing import Shop as ListingsShop
from orders_service.app import SERVICE as ORDERS
from orders_service.testing import Shop as OrdersShop

US = "ATVPDKIKX0DER"
PLANTED = "Planted-4711"
SKU = "PLANTED-4711"

# Open on purpose: the token endpoint, its keys, the browser's ways from and to Amazon, health.
OPEN = {"/v1/token", "/.well-known/jwks.json", "/v1/oauth/callback", "/v1/oauth/login", "/healthz", "/readyz"}
# No account's token may: they are for the platform's own services and its operator.
PLATFORM_ONLY = {"/v1/internal/access-tokens", "/v1/platform/notifications"}
FORGED = {"authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}

# Values of a body's fields by their names, where the schema alone does not make a sensible one.
_PLAIN: Mapping[str, Any] = {
    "selling_partner_id": "A1STRANGER",
    "marketplace_id": US,
    "refresh_token": "Atzr|nobodys-token",
    "scopes": ["orders:read"],
    "expires_at": "2099-01-01T00:00:00Z",
    "currency": "USD",
    "country_code": "US",
    "sku": SKU,
    "agreement_version": "2026-01",
    "amazon_text": "Std US D2D Dom",
    "attestation": {"attested_by": "Jane", "agreement_version": "2026-01"},
}

pytestmark = [pytest.mark.row("A9"), pytest.mark.edge(22)]


@dataclass
class Walled:
    """A running service with everything that one account has there, and the headers of others."""

    running: Running
    account_id: UUID
    ids: dict[str, str]
    strangers: dict[str, str]
    scopeless: dict[str, str]


async def _auth(run_service: RunService, amazon: Amazon, _: Issuer) -> Walled:
    running = await run_service(AUTH, amazon=amazon, **amazon_settings(amazon))
    desk = Desk(running.runtime, running.http, amazon)
    ours, theirs = await desk.tenant(PLANTED), await desk.tenant("Other")
    await desk.seller()
    connection = await desk.connect(ours)
    await desk.http.patch(f"/v1/connections/{connection['id']}", json={"name": PLANTED}, headers=ours.headers)
    body = {"name": PLANTED, "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": PLANTED}
    channel = (await desk.post(ours, "/v1/channels", body)).json()
    key = (await desk.post(ours, "/v1/api-keys", {"name": PLANTED, "scopes": ["orders:read"]})).json()
    query = {
        "amazon_callback_uri": "https://amazon.com/apps/authorize/confirm/amzn1.sellerapps.app.entrepot-dev-na",
        "amazon_state": PLANTED,
        "selling_partner_id": "A1SELLER",
    }
    kept = desk.remember(await desk.http.get("/v1/oauth/login", params=query)).json()
    assert (await desk.post(ours, f"/v1/authorizations/{kept['authorization_id']}/claim")).status_code == 200
    ids = {"connection_id": connection["id"], "channel_id": channel["id"], "key_id": key["id"]}
    return Walled(running, ours.account_id, ids | kept, theirs.headers, await desk.login(key["key"]))


async def _listings(run_service: RunService, amazon: Amazon, issuer: Issuer) -> Walled:
    running = await run_service(LISTINGS, amazon=amazon, sync_every_seconds=3600)
    account_id = uuid4()
    shop = ListingsShop(running, amazon, issuer.headers(account_id, *ACCOUNT_SCOPES), account_id, "A1SELLER", "NA")
    shop.channels = {US: uuid4()}
    await amazon.seller(account_id, shop.connection_id, selling_partner_id="A1SELLER")
    await shop.connect()
    await shop.upsert(shop.row(SKU, title=PLANTED, quantity=3))
    link = await shop.operate("link")
    ids = {"channel_id": str(shop.channel_id), "listing_id": (await shop.listing(SKU))["id"], "run_id": link["id"]}
    return _walled(running, account_id, issuer, ids | {"operation": "sync", "connection_id": str(shop.connection_id)})


async def _orders(run_service: RunService, amazon: Amazon, issuer: Issuer) -> Walled:
    every = {"get_orders_every_seconds": 3600, "sync_orders_every_seconds": 3600}
    running = await run_service(ORDERS, amazon=amazon, **every)
    account_id = uuid4()
    headers = issuer.headers(account_id, *ACCOUNT_SCOPES)
    shop = OrdersShop(running, amazon, headers, headers, account_id, "A1SELLER", channels={US: uuid4()})
    await amazon.seller(account_id, shop.connection_id, selling_partner_id="A1SELLER")
    await shop.connect()
    await shop.map_shipping()
    line = {"sku": SKU, "quantity": 2, "unit_price": 9.99}
    (amazon_order_id,) = await shop.place({"lines": [line]})
    imported = await shop.get_orders()
    order = await shop.order(amazon_order_id)
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    request = (await shop.call("GET", "/v1/fulfillment-requests"))["items"][0]
    parcel = {"carrier": "UPS", "method": "UPS Ground", "tracking_number": "1Z1", "shipped_at": _now()}
    told = parcel | {"items": [{"sku": SKU, "quantity": 1}]}
    shipment = await shop.call("POST", f"/v1/orders/{order['id']}/shipments", told)
    ids = {
        "channel_id": str(shop.channels[US]),
        "connection_id": str(shop.connection_id),
        "run_id": imported["id"],
        "order_id": order["id"],
        "amazon_order_id": amazon_order_id,
        "request_id": request["id"],
        "shipment_id": shipment["id"],
    }
    return _walled(running, account_id, issuer, ids)


async def _compliance(run_service: RunService, _: Amazon, issuer: Issuer) -> Walled:
    running = await run_service(COMPLIANCE)
    merchant = Merchant(running, issuer)
    channel_id = uuid4()
    await merchant.deliver(merchant.connection(channel_id))
    source_id = await merchant.source(PLANTED, {SKU: 5})
    await merchant.deliver(merchant.order("111-4711471-4711471", {SKU: 1}, channel_id=channel_id))
    file: dict[str, Any] = {"content": f"sku,quantity\n{SKU},6\n".encode(), "headers": {"content-type": "text/csv"}}
    upload = await merchant.call("POST", f"/v1/sources/{source_id}/inventory/csv", **file)
    ids = {
        "channel_id": str(channel_id),
        "source_id": str(source_id),
        "upload_id": upload["upload_id"],
        "amazon_order_id": "111-4711471-4711471",
    }
    return _walled(running, merchant.account_id, issuer, ids)


def _walled(running: Running, account_id: UUID, issuer: Issuer, ids: dict[str, str]) -> Walled:
    strangers, scopeless = issuer.headers(uuid4(), *ACCOUNT_SCOPES), issuer.headers(account_id, "nothing:read")
    return Walled(running, account_id, ids, strangers, scopeless)


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class Route:
    """One operation of an OpenAPI document."""

    method: str
    path: str
    operation: Mapping[str, Any]
    schemas: Mapping[str, Any]

    def request(self, ids: Mapping[str, str]) -> dict[str, Any]:
        """A valid body and query that name `ids` wherever an id is asked for."""
        options: dict[str, Any] = {}
        content = self.operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            options["json"] = self._example(content["application/json"]["schema"], "", ids)
        elif content:
            kind = next(iter(content))
            options["headers"] = {"content-type": kind}
            options["content"] = b"sku,quantity,channel_id\n" + f"{SKU},1,{ids.get('channel_id')}\n".encode()
        query = {
            given["name"]: self._example(given["schema"], given["name"], ids)
            for given in self.operation.get("parameters", [])
            if given["in"] == "query" and (given.get("required") or given["name"] in ids)
        }
        return options | ({"params": query} if query else {})

    def _example(self, schema: Mapping[str, Any], name: str, ids: Mapping[str, str]) -> Any:
        if "$ref" in schema:
            return self._example(self.schemas[schema["$ref"].rsplit("/", 1)[1]], name, ids)
        singular = name.removesuffix("s")
        if name in ids or name in _PLAIN:
            return ids.get(name, _PLAIN.get(name))
        for kind in ("anyOf", "oneOf"):
            if kind in schema:
                return self._example(next(one for one in schema[kind] if one.get("type") != "null"), name, ids)
        if "enum" in schema or "const" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        match schema.get("type"):
            case "object":
                wanted = schema.get("properties", {})
                asked = [one for one in wanted if one in schema.get("required", ()) or one in ids or one in _PLAIN]
                # An object of which nothing is required still has to say something.
                return {one: self._example(wanted[one], one, ids) for one in asked or list(wanted)[:1]}
            case "array":
                return [self._example(schema["items"], singular, ids)]
            case "integer" | "number":
                return max(1, schema.get("minimum", 1))
            case "boolean":
                return True
            case "string":
                return self._text(schema, singular, ids)
        return {}

    def _text(self, schema: Mapping[str, Any], name: str, ids: Mapping[str, str]) -> str:
        match schema.get("format"):
            case "uuid":
                return ids.get(name) or next((ids[one] for one in ids if one.removesuffix("_id") == name), str(uuid4()))
            case "date-time":
                return _now()
        return "1" if "pattern" in schema and "d" in schema["pattern"] else "x" * max(1, schema.get("minLength", 1))


async def _routes(running: Running) -> list[Route]:
    document = (await running.http.get("/openapi.json")).json()
    return [
        Route(method.upper(), path, operation, document["components"]["schemas"])
        for path, operations in document["paths"].items()
        if path not in OPEN
        for method, operation in operations.items()
    ]


_WORLDS: Mapping[str, Callable[[RunService, Amazon, Issuer], Awaitable[Walled]]] = {
    "auth": _auth,
    "listings": _listings,
    "orders": _orders,
    "compliance": _compliance,
}


@pytest.mark.parametrize("name", _WORLDS)
async def test_every_operation_refuses_strangers_missing_scopes_and_other_accounts(
    name: str, run_service: RunService, amazon: Amazon, issuer: Issuer
) -> None:
    walled = await _WORLDS[name](run_service, amazon, issuer)
    before = await _ours(walled)
    asked = foreign = named = 0
    for route in await _routes(walled.running):
        unknown = {part.split("}")[0] for part in route.path.split("{")[1:]} - set(walled.ids)
        assert not unknown, f"{name} {route.path}: say in this test how {unknown} come about"
        for headers in ({}, FORGED, {"authorization": "Basic eDp5"}):
            await _expect(walled, route, headers, 401)
        await _expect(walled, route, walled.scopeless, 403)
        asked += 1
        if route.path in PLATFORM_ONLY:
            await _expect(walled, route, walled.strangers, 403)
        elif "{" in route.path:
            foreign += 1
            await _expect(walled, route, walled.strangers, 404)
        else:
            answer = await _expect(walled, route, walled.strangers, None)
            if any(value in json.dumps(route.request(walled.ids), default=str) for value in walled.ids.values()):
                named += 1
                assert _finds_nothing(answer), f"{name} {route.method} {route.path}: {answer.text[:300]}"
    assert asked > 10
    assert foreign > 3
    assert named
    assert await _ours(walled) == before


async def _expect(walled: Walled, route: Route, headers: dict[str, str], status: int | None) -> Response:
    """Asks for what is ours; `status` None: whatever it answers, nothing of ours is in it."""
    request = route.request(walled.ids)
    given = request | {"headers": request.get("headers", {}) | headers}
    answer: Response = await walled.running.http.request(route.method, route.path.format_map(walled.ids), **given)
    told = f"{route.method} {route.path} {json.dumps(request, default=str)} -> {answer.status_code} {answer.text[:300]}"
    assert PLANTED not in answer.text, told
    assert status in (None, answer.status_code), told
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", told
    return answer


def _finds_nothing(answer: Response) -> bool:
    """Whether what a body or query named is not there for who asks: 404, an empty list, or each row refused."""
    if answer.status_code == 404:
        return True
    if answer.headers["content-type"].startswith("text/csv"):
        return all(not row.partition(",")[2].strip(",") for row in answer.text.splitlines()[1:])  # a SKU beside nothing
    said = answer.json()
    if "items" in said:
        return not said["items"]
    rows = [row.get("error", row) for row in said.get("errors", said.get("results"))]
    refused = {row.get("code", said.get("type")) for row in rows}
    return bool(refused) and refused <= {"not-found", "unknown-channel", "/problems/unknown-source"}


async def _ours(walled: Walled) -> list[str]:
    """Every row of our account, in whatever table, as text."""
    rows: list[str] = []
    async with walled.running.runtime.db.transaction() as session:
        tables = await run(session, "select table_name from information_schema.tables where table_schema = 'public'")
        for (table,) in tables:
            sql = f"select t::text from \"{table}\" t where t::text like '%' || $1 || '%' order by 1"
            rows += [f"{table} {row[0]}" for row in await run(session, sql, str(walled.account_id))]
    return rows
