"""A seller revokes our app in the middle of the work, and consents again: auth and orders together, over HTTP."""

from uuid import UUID

import pytest

from auth_service.app import SERVICE as AUTH
from auth_service.testing import Desk, amazon_settings
from common.contracts.connections import ConnectionEvent
from common.testing.amazon import Amazon
from common.testing.events import published
from common.testing.identity import Issuer
from common.testing.plugin import RunService
from orders_service.app import SERVICE as ORDERS
from orders_service.testing import SCOPES, US, Shop

ALL = ("searchOrders", "getOrder", "getMarketplaceParticipations", "token")


async def _calls(amazon: Amazon) -> dict[str, dict[str, int]]:
    calls = (await amazon.dial("GET", "/sandbox/books/calls"))["calls"]
    return {name: calls.get(name, {}) for name in ALL}


@pytest.mark.row("A7")
@pytest.mark.row("A8")
@pytest.mark.row("E2")
@pytest.mark.edge(21)
@pytest.mark.fault("F14")
async def test_a_grant_revoked_in_the_middle_of_a_run_stops_everything_and_a_new_consent_misses_nothing(
    run_service: RunService, amazon: Amazon, issuer: Issuer
) -> None:
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
    told: set[int] = set()

    async def tell() -> None:
        """Brings what auth has announced since the last time."""
        news = [event for event in await published(auth.runtime.db) if isinstance(event, ConnectionEvent)]
        await shop.deliver(*(event for event in news if event.version not in told))
        told.update(event.version for event in news)

    async def schedules_run() -> int:
        await shop.refill_buckets()
        await shop.sql("update schedule set next_at = now() where enabled")
        return int(await orders.runtime.worker().run_due())

    await tell()
    await shop.map_shipping()
    assert await schedules_run() == 2
    first = await shop.place({}, {}, {})
    assert (await shop.get_orders())["counts"]["imported"] == 3
    ((cursor,),) = await shop.sql("select last_updated_after from import_cursor")

    # In the middle of the work: orders wait at Amazon, and one of ours waits to be confirmed there.
    meanwhile = await shop.place({}, {})
    waiting = shop.shipped(first[0])
    await shop.deliver(waiting)
    await amazon.dial("POST", "/sandbox/sellers/A1SELLER/revoke")
    before = await _calls(amazon)
    failed = await shop.get_orders()
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", "connection_not_active")
    after = await _calls(amazon)
    # The refused call, one refresh of the access token, which Amazon refuses as well, and that is all.
    assert after["searchOrders"]["403"] - before["searchOrders"].get("403", 0) == 1
    assert after["token"]["400"] - before["token"].get("400", 0) == 1

    await tell()
    for _ in range(3):
        assert await schedules_run() == 0
        refused = await shop.request("POST", f"/v1/connections/{connection['id']}/operations/sync-orders")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/connection-not-active")
        assert (await desk.post(tenant, f"/v1/connections/{connection['id']}/check")).status_code == 409
    assert await _calls(amazon) == after
    assert await desk.notified(tenant) == ["connection-authorized", "connection-revoked"]
    assert (await shop.sql("select last_updated_after from import_cursor")) == [(cursor,)]

    page = (await desk.post(tenant, f"/v1/connections/{connection['id']}/consent")).json()
    assert (await desk.callback(await desk.visit(page["consent_url"]))).json()["status"] == "active"
    await tell()
    later = await shop.place({})
    assert await schedules_run() == 2
    found = {order["amazon_order_id"] for order in await shop.orders()}
    assert found == {*first, *meanwhile, *later}
    assert len((await shop.at_amazon(first[0]))["packages"]) == 1
    assert await desk.notified(tenant) == ["connection-authorized", "connection-revoked", "connection-authorized"]
