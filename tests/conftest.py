"""Worlds for the tests over the OpenAPI documents of all four services: each a running service with everything that one
account has there, and requests made of what the document says."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from auth_service.app import SERVICE as AUTH
from auth_service.scopes import ACCOUNT_SCOPES
from auth_service.testing import Desk, amazon_settings
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


@dataclass
class Walled:
    """A running service with everything that one account has there, and the headers of others."""

    running: Running
    account_id: UUID
    ids: dict[str, str]
    headers: dict[str, str]
    strangers: dict[str, str]
    scopeless: dict[str, str]
    routes: list["Route"] = field(default_factory=list)


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
    return Walled(running, ours.account_id, ids | kept, ours.headers, theirs.headers, await desk.login(key["key"]))


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
    policy = (await shop.call("GET", "/v1/shipping-policies"))["items"][0]
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
        "selling_partner_id": shop.selling_partner_id,
        "policy_id": policy["id"],
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
        "selling_partner_id": "A1SELLER",
    }
    return _walled(running, merchant.account_id, issuer, ids)


def _walled(running: Running, account_id: UUID, issuer: Issuer, ids: dict[str, str]) -> Walled:
    strangers, scopeless = issuer.headers(uuid4(), *ACCOUNT_SCOPES), issuer.headers(account_id, "nothing:read")
    return Walled(running, account_id, ids, issuer.headers(account_id, *ACCOUNT_SCOPES), strangers, scopeless)


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


async def routes_of(running: Running) -> list[Route]:
    document = (await running.http.get("/openapi.json")).json()
    return [
        Route(method.upper(), path, operation, document["components"]["schemas"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


_WORLDS: Mapping[str, Callable[[RunService, Amazon, Issuer], Awaitable[Walled]]] = {
    "auth": _auth,
    "listings": _listings,
    "orders": _orders,
    "compliance": _compliance,
}


OpenWorld = Callable[[str], Awaitable[Walled]]


@pytest.fixture
def open_world(run_service: RunService, amazon: Amazon, issuer: Issuer) -> OpenWorld:
    """`await open_world("orders")`: that service, running, with everything that one account has there."""

    async def make(name: str) -> Walled:
        world = await _WORLDS[name](run_service, amazon, issuer)
        world.routes = await routes_of(world.running)
        return world

    return make
