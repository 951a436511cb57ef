"""A worker process that stops between what it wrote down and its call (SIGSTOP: a paused machine, a long swap), while
another replica takes its run over and writes something newer: what Amazon keeps is the newer one."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from auth_service.app import SERVICE as AUTH
from auth_service.testing import Desk, Tenant, amazon_settings
from common.app import Runtime
from common.contracts.connections import ConnectionEvent
from common.testing.amazon import Amazon
from common.testing.events import published
from common.testing.identity import Issuer
from common.testing.plugin import Running, RunService
from common.worker import LEASE_SECONDS
from listings_service import testing as listings
from listings_service.app import SERVICE as LISTINGS
from orders_service import testing as orders
from orders_service.app import SERVICE as ORDERS

US = orders.US
# The first run of the other process has ended, and what it holds is there to be seen, long before this (seconds).
PATIENCE = 90


@pytest.fixture
async def desk(run_service: RunService, amazon: Amazon) -> Desk:
    auth = await run_service(AUTH, amazon=amazon, **amazon_settings(amazon))
    desk = Desk(auth.runtime, auth.http, amazon)
    await desk.seller()
    return desk


async def connected(desk: Desk) -> tuple[Tenant, UUID, UUID]:
    """The tenant, its connection and its channel in the US, known at auth."""
    tenant = await desk.tenant()
    connection = await desk.connect(tenant)
    channel = {"name": "US", "connection_id": connection["id"], "marketplace_id": US, "seller_of_record": "Shop Ltd"}
    channel_id = (await desk.post(tenant, "/v1/channels", channel)).json()["id"]
    return tenant, UUID(connection["id"]), UUID(channel_id)


async def settings_of(desk: Desk, amazon: Amazon) -> dict[str, Any]:
    return {
        "auth_url": str(desk.http.base_url),
        "service_key": await desk.service_key(),
        **{f"amazon_endpoint_{region.lower()}": base for region, base in amazon.endpoints.items()},
    }


@asynccontextmanager
async def replica(module: str, runtime: Runtime[Any]) -> AsyncIterator[Process]:
    """Another process of the same service on the same database, whose worker runs."""
    env = {name: value for name, value in os.environ.items() if name.isupper() and name.startswith(("PATH", "HOME"))}
    for name in type(runtime.settings).model_fields:
        value = getattr(runtime.settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value not in (None, "") and not isinstance(value, dict):
            many = isinstance(value, tuple | list | frozenset)
            env[name.upper()] = ",".join(map(str, value)) if many else str(value)
    env |= {"ROLES": "worker", "PORT": "0", "REPLICA": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "serve", env=env, stdout=PIPE, stderr=DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.02)


async def stall(process: Process, service: Running, prepared: Callable[[], Awaitable[Any]]) -> None:
    """Stops the process as soon as it has prepared something, until its lease is over."""
    await until(prepared)
    process.send_signal(signal.SIGSTOP)
    assert await prepared(), "it was faster than the test: nothing is shown"

    async def lapsed() -> bool:
        async with service.runtime.db.engine.connect() as connection:
            late = "heartbeat_at < clock_timestamp() - make_interval(secs => $1)"
            query = f"select 1 from operation_run where status = 'running' and {late}"
            return (await connection.exec_driver_sql(query, (LEASE_SECONDS,))).first() is not None

    await until(lapsed)


async def wakes_and_gives_up(process: Process) -> None:
    """The stopped process goes on, until it knows that its run was taken over: what it would send has left by then."""
    process.send_signal(signal.SIGCONT)
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while b"run_taken_over" not in (line := await process.stdout.readline()):
            assert line, "it ended"


@pytest.mark.fault("F16")
@pytest.mark.row("B15")
async def test_a_worker_that_stalled_before_its_patch_does_not_send_the_older_price(
    run_service: RunService, desk: Desk, amazon: Amazon, issuer: Issuer
) -> None:
    tenant, connection_id, channel_id = await connected(desk)
    service = await run_service(
        LISTINGS, sync_every_seconds=3600, read_back_delays="0,0.1,0.2,0.5", **await settings_of(desk, amazon)
    )
    headers = issuer.headers(tenant.account_id, *listings.SCOPES)
    shop = listings.Shop(service, amazon, headers, tenant.account_id, "A1SELLER", "NA", connection_id, {US: channel_id})
    news = [event for event in await published(desk.runtime.db) if isinstance(event, ConnectionEvent)]
    await shop.deliver(*news)
    await shop.seed(listings.offer("A"))
    await shop.upsert(shop.row("A"))
    await shop.link()
    await shop.work()
    await shop.change(shop.row("A", price="11.00"))
    # Between the intent and the patch the sender reads the offer: that answer takes its time.
    slow = {"operation": "searchListingsItems", "kind": "slow", "seconds": 4, "count": 1}
    await amazon.dial("POST", "/sandbox/faults", slow)
    await shop.call("POST", "/v1/operations", {"operation": "sync", "channel_id": str(channel_id)}, status=202)

    async def prepared() -> Any:
        return await shop.sql("select 1 from variant where write_state = 'sending' and sent_price = 11")

    async with replica("listings_service", service.runtime) as process:
        await stall(process, service, prepared)
        await shop.change(shop.row("A", price="12.00"))
        await shop.work()
        assert [write["price"] for write in (await shop.at_amazon("A"))["history"]] == [12]
        await wakes_and_gives_up(process)
    at_amazon = await shop.at_amazon("A")
    assert ([write["price"] for write in at_amazon["history"]], at_amazon["price"]) == ([12], 12)
    assert not (await shop.listing("A"))["dirty"]


@pytest.mark.fault("F16")
@pytest.mark.row("C8")
async def test_a_worker_that_stalled_before_its_confirmation_does_not_send_the_older_tracking(
    run_service: RunService, desk: Desk, amazon: Amazon, issuer: Issuer
) -> None:
    tenant, connection_id, channel_id = await connected(desk)
    service = await run_service(
        ORDERS,
        get_orders_every_seconds=36000,
        sync_orders_every_seconds=3600,
        confirm_read_back_delays="0",
        **await settings_of(desk, amazon),
    )
    headers = issuer.headers(tenant.account_id, *orders.SCOPES)
    shop = orders.Shop(service, amazon, headers, headers, tenant.account_id, "A1SELLER", connection_id=connection_id)
    shop.channels = {US: channel_id}
    news = [event for event in await published(desk.runtime.db) if isinstance(event, ConnectionEvent)]
    await shop.deliver(*news)
    await shop.map_shipping()
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    told = shop.shipped(amazon_order_id, tracking_number="OLDER")
    await shop.deliver(told)
    # Between the claimed shipment and the call the sender waits for the allowance.
    await shop.refill_buckets()
    await shop.sql(
        "insert into amazon_bucket (app_id, region, operation, selling_partner_id, tokens, granted, refilled_at) "
        "select app_id, region, 'confirmShipment', selling_partner_id, -6, 0, now() "
        "from amazon_bucket where operation = 'searchOrders' and selling_partner_id <> ''"
    )
    await shop.call("POST", "/v1/operations", {"operation": "sync_orders", "connection_id": str(connection_id)})

    async def prepared() -> Any:
        return await shop.sql("select 1 from shipment where status = 'sending'")

    async with replica("orders_service", service.runtime) as process:
        await stall(process, service, prepared)
        await shop.refill_buckets()
        await service.runtime.worker().run_due()
        await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {"tracking_number": "NEWER"})
        await shop.sync_orders()
        await shop.sync_orders()
        (package,) = (await shop.at_amazon(amazon_order_id))["packages"]
        assert package["tracking_number"] == "NEWER"
        await wakes_and_gives_up(process)
    books = await shop.at_amazon(amazon_order_id)
    assert ([package["tracking_number"] for package in books["packages"]], books["confirmations"]) == (["NEWER"], 2)
    assert (await shop.shipment(told))["status"] == "confirmed"
