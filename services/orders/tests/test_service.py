"""The service as a whole: its tables, its scopes, its settings."""

import pytest
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import create_async_engine

from common.migrations import drift
from common.testing.databases import Databases
from orders_service.app import SERVICE
from orders_service.settings import OrdersSettings
from orders_service.testing import OpenShop, Shop


async def test_the_migrations_make_the_tables_that_the_models_say(databases: Databases) -> None:
    url = await databases.new(SERVICE.package)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as connection:
        assert await connection.run_sync(drift.difference, SERVICE.package) == []
    await engine.dispose()
    await databases.drop(url)


def test_every_route_declares_a_scope() -> None:
    for router in SERVICE.routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            scopes = [getattr(part.call, "scope", None) for part in route.dependant.dependencies]
            assert any(scopes), route.path


def test_delays_are_read_from_one_line_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {
        "DATABASE_URL": "postgresql://u@h/d",
        "KAFKA_BOOTSTRAP_SERVERS": "h:1",
        "AUTH_URL": "http://h",
        "SERVICE_KEY": "k",
        "KEY_RING": "a:b",
        "CONFIRM_READ_BACK_DELAYS": "0.3, 1,5",
    }
    for name, value in needed.items():
        monkeypatch.setenv(name, value)
    assert OrdersSettings().confirm_read_back_delays == (0.3, 1.0, 5.0)


@pytest.mark.edge(22)
async def test_every_route_with_an_id_answers_404_to_another_account(open_shop: OpenShop) -> None:
    shop = await open_shop()
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(await shop.routed(order, (told.shipment_id, 2)), told)
    request = (await shop.call("GET", "/v1/fulfillment-requests"))["items"][0]
    run = (await shop.call("GET", "/v1/operations"))["items"][0]
    ids = {
        "channel_id": next(iter(shop.channels.values())),
        "connection_id": shop.connection_id,
        "order_id": order["id"],
        "amazon_order_id": amazon_order_id,
        "request_id": request["id"],
        "shipment_id": told.shipment_id,
        "run_id": run["id"],
    }
    bodies = {
        "put_order_settings": {},
        "put_shipping_mappings": {"mappings": []},
        "refuse": {"resolution": "fill"},
        "create_shipment": {"carrier": "UPS", "tracking_number": "1", "items": [{"sku": "MUG-1", "quantity": 1}]},
        "edit_shipment": {},
    }
    stranger = await open_shop(beside=shop, selling_partner_id="A2STRANGER")
    tried = 0
    for route in [route for router in SERVICE.routers for route in router.routes if "{" in route.path]:  # type: ignore[attr-defined]
        assert isinstance(route, APIRoute)
        personal = route.path.endswith("/recipient") or "/packing-slip" in route.path
        headers = stranger.pii_headers if personal else stranger.headers
        assert route.methods
        (method,) = route.methods
        answer = await shop.service.http.request(
            method, route.path.format(**ids), json=bodies.get(route.name), headers=headers
        )
        assert answer.status_code == 404, f"{method} {route.path}: {answer.status_code} {answer.text}"
        tried += 1
    assert tried >= 15


async def test_lists_are_paged_by_cursor_without_gap_or_repeat(shop: Shop) -> None:
    placed = await shop.place(*[{} for _ in range(5)])
    await shop.get_orders()
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = await shop.call("GET", "/v1/orders", limit=2, cursor=cursor)
        found += [order["amazon_order_id"] for order in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert sorted(found) == sorted(placed)
