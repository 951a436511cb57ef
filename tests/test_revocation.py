"""A seller revokes our app in the middle of the work, and consents again: auth and orders together, over HTTP."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from auth_service.app import SERVICE as AUTH
from auth_service.testing import Desk, Tenant, amazon_settings
from common.contracts.connections import ConnectionEvent
from common.contracts.orders import OrderImported
from common.testing.amazon import Amazon
from common.testing.events import published
from common.testing.identity import Issuer
from common.testing.plugin import RunService
from orders_service.app import SERVICE as ORDERS
from orders_service.testing import SCOPES, US, Shop


@dataclass
class Pair:
    """A seller's connection at auth, and the shop that orders runs by it."""

    desk: Desk
    tenant: Tenant
    connection: dict[str, Any]
    shop: Shop
    told: set[int] = field(default_factory=set)

    async def tell(self) -> None:
        """Brings what auth has announced since the last time."""
        news = [event for event in await published(self.desk.runtime.db) if isinstance(event, ConnectionEvent)]
        await self.shop.deliver(*(event for event in news if event.version not in self.told))
        self.told.update(event.version for event in news)

    async def schedules_run(self) -> int:
        """How many runs there were when all that is scheduled was due."""
        await self.shop.refill_buckets()
        await self.shop.sql("update schedule set next_at = now() where enabled")
        return int(await self.shop.service.runtime.worker().run_due())

    async def revoke(self) -> None:
        await self.shop.amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")

    async def consent(self) -> None:
        page = (await self.desk.post(self.tenant, f"/v1/connections/{self.connection['id']}/consent")).json()
        assert (await self.desk.callback(await self.desk.visit(page["consent_url"]))).json()["status"] == "active"
        await self.tell()

    async def calls(self) -> Counter[str]:
        """All that went to Amazon so far, by operation and status."""
        calls = (await self.shop.amazon.dial("GET", "/sandbox/books/calls"))["calls"]
        return Counter({f"{name} {status}": n for name, by in calls.items() for status, n in by.items()})

    async def nothing_is_called(self) -> None:
        before = await self.calls()
        for _ in range(3):
            assert await self.schedules_run() == 0
            refused = await self.shop.request("POST", "/v1/operations", self.shop.asked("sync_orders"))
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/connection-not-active")
            checked = await self.desk.post(self.tenant, f"/v1/connections/{self.connection['id']}/check")
            assert checked.status_code == 409
        assert await self.calls() == before

    async def notified(self) -> list[str]:
        return [code.removeprefix("connection-") for code in await self.desk.notified(self.tenant)]


@pytest_asyncio.fixture
async def pair(run_service: RunService, amazon: Amazon, issuer: Issuer) -> Pair:
    """Connected, its shipping mapped, the schedules' first runs done."""
    auth = await run_service(AUTH, amazon=amazon, **amazon_settings(amazon))
    desk = Desk(auth.runtime, auth.http, amazon)
    tenant = await desk.tenant()
    await desk.seller()
    connection = await desk.connect(tenant)
    channel = {"name": "US", "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": "Shop Ltd"}
    channel_id = UUID((await desk.post(tenant, "/v1/channels", channel)).json()["id"])
    orders = await run_service(
        ORDERS,
        auth_url=auth.url,
        service_key=await desk.service_key(),
        get_orders_every_seconds=3600,
        sync_orders_every_seconds=3600,
        **{f"amazon_endpoint_{region.lower()}": base for region, base in amazon.endpoints.items()},
    )
    headers = issuer.headers(tenant.account_id, *SCOPES)
    shop = Shop(orders, amazon, headers, headers, tenant.account_id, "A1SELLER", connection_id=UUID(connection["id"]))
    shop.channels = {US: channel_id}
    pair = Pair(desk, tenant, connection, shop)
    await pair.tell()
    await shop.map_shipping()
    assert await pair.schedules_run() == 2
    return pair


@pytest.mark.row("A7")
@pytest.mark.row("A8")
@pytest.mark.row("E2")
@pytest.mark.edge(21)
@pytest.mark.fault("F14")
async def test_a_grant_revoked_in_the_middle_of_the_work_stops_everything_and_a_new_consent_misses_nothing(
    pair: Pair,
) -> None:
    shop = pair.shop
    first = await shop.place({}, {}, {})
    assert (await shop.get_orders())["counts"]["imported"] == 3
    cursor = await shop.sql("select last_updated_after from import_cursor")

    # In the middle of the work: orders wait at Amazon, and one of ours waits to be confirmed there.
    meanwhile = await shop.place({}, {})
    await shop.deliver(shop.shipped(first[0]))
    await pair.revoke()
    before = await pair.calls()
    waiting = await shop.get_orders()
    assert (waiting["status"], waiting["waits_for"]["code"]) == ("queued", "connection_not_active")
    # The refused call, one refresh of the access token, which Amazon refuses as well, and that is all.
    assert await pair.calls() - before == {"searchOrders 403": 1, "token 400": 1}

    await pair.tell()
    await pair.nothing_is_called()
    assert await pair.notified() == ["authorized", "revoked"]
    assert await shop.sql("select last_updated_after from import_cursor") == cursor

    await pair.consent()
    later = await shop.place({})
    assert await pair.schedules_run() == 2
    assert (await shop.operation(waiting["id"]))["status"] == "succeeded"
    found = {order["amazon_order_id"] for order in await shop.orders()}
    assert found == {*first, *meanwhile, *later}
    assert len((await shop.at_amazon(first[0]))["packages"]) == 1
    assert await pair.notified() == ["authorized", "revoked", "authorized"]


@pytest.mark.row("A7")
@pytest.mark.row("E2")
@pytest.mark.edge(21)
@pytest.mark.fault("F14")
async def test_a_grant_revoked_between_two_pages_of_a_run_is_the_end_of_its_calls_until_it_goes_on(pair: Pair) -> None:
    shop = pair.shop
    placed = await shop.place(*[{}] * 201)  # three pages
    run_id = await shop.start("get_orders")
    before = await pair.calls()
    await shop.work_interrupted("select 1 from orders", pair.revoke)
    assert await pair.calls() - before == {"searchOrders 200": 1, "searchOrders 403": 1, "token 400": 1}
    assert await shop.sql("select count(*) from orders") == [(100,)]
    waiting = await shop.operation(run_id)
    assert (waiting["status"], waiting["waits_for"]["code"]) == ("queued", "connection_not_active")

    await pair.tell()
    await pair.nothing_is_called()
    assert await pair.notified() == ["authorized", "revoked"]

    await pair.consent()
    later = await shop.place({})
    assert await pair.schedules_run() == 2
    ended = await shop.operation(run_id)
    assert (ended["status"], ended["counts"]) == ("succeeded", {"imported": 201})
    assert await pair.schedules_run() == 2
    assert Counter(order["amazon_order_id"] for order in await shop.orders()) == Counter([*placed, *later])
    announced = Counter(event.amazon_order_id for event in await shop.published(OrderImported))
    assert announced == Counter([*placed, *later])
    assert await pair.notified() == ["authorized", "revoked", "authorized"]


@pytest.mark.fault("F14")
@pytest.mark.edge(21)
async def test_a_grant_that_is_replaced_again_and_again_stops_no_run(pair: Pair) -> None:
    """Each replacement kills the access tokens before it; the second one comes before the first is settled."""
    shop = pair.shop
    assert (await shop.get_orders())["status"] == "succeeded"
    for _ in range(3):
        await pair.revoke()
        await pair.consent()
        before = await pair.calls()
        assert (await shop.get_orders())["status"] == "succeeded"
        assert (await pair.calls() - before)["searchOrders 403"] == 0
