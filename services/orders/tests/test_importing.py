"""Get Orders: every order once, whatever is retried; what is not taken is explained."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from common.contracts.orders import OrderCancelled, OrderChanged, OrderImported
from orders_service.testing import CANADA, US, OpenShop, Shop


@pytest.mark.row("C2")
@pytest.mark.row("C3")
@pytest.mark.edge(3)
async def test_orders_are_imported_and_announced_once_though_get_orders_runs_twice(shop: Shop) -> None:
    placed = await shop.place(*[{} for _ in range(3)])
    first = await shop.get_orders()
    second = await shop.get_orders()
    assert (first["status"], first["counts"]["imported"]) == ("succeeded", 3)
    assert second["counts"] == {"unchanged": 3}
    events = await shop.published(OrderImported)
    assert {event.amazon_order_id for event in events} == set(placed)
    assert len(events) == 3
    assert await shop.published(OrderChanged) == []


@pytest.mark.row("C11")
async def test_an_order_carries_what_routing_needs(shop: Shop) -> None:
    lines = [{"sku": "A/B%", "quantity": 3, "unit_price": 9.99}, {"sku": "CUP", "quantity": 1, "unit_price": 0}]
    (amazon_order_id,) = await shop.place({"lines": lines, "service_level": "EXPEDITED"})
    await shop.get_orders()
    (event,) = await shop.published(OrderImported)
    assert (event.status, event.fulfilled_by, event.shipping_policy) == ("UNSHIPPED", "MERCHANT", "Expedited")
    assert (event.channel_id, event.holds, event.version) == (shop.channels[US], (), 1)
    assert [(line.sku, line.quantity) for line in event.lines] == [("A/B%", 3), ("CUP", 1)]
    assert [str(line.unit_price.amount) for line in event.lines if line.unit_price] == ["9.99", "0.00"]
    order = await shop.order(amazon_order_id)
    assert order["lines"][0]["line_total"] == {"amount": "29.97", "currency": "USD"}
    assert order["total"] == {"amount": "29.97", "currency": "USD"}


@pytest.mark.row("C1")
async def test_get_orders_refuses_to_run_without_any_shipping_mapping_and_says_the_fix(open_shop: OpenShop) -> None:
    shop = await open_shop(mapped=False)
    await shop.place({})
    run = await shop.get_orders()
    assert run["status"] == "failed"
    assert run["errors"][0]["code"] == "no_shipping_mappings"
    assert "shipping-mappings/defaults" in run["errors"][0]["fix"]
    assert await shop.orders() == []


@pytest.mark.row("C1")
async def test_an_order_without_a_mapping_is_held_and_freed_by_the_mapping(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({"service_level": "NEXT_DAY"})
    run = await shop.get_orders()
    assert run["errors"][0]["code"] == "unmapped_shipping"
    assert (await shop.order(amazon_order_id))["holds"] == ["unmapped_shipping"]
    assert await shop.explain(amazon_order_id) == ["unmapped_shipping"]
    path = f"/v1/channels/{shop.channels[US]}/shipping-mappings"
    rows = (await shop.call("GET", path))["mappings"]
    await shop.call("POST", "/v1/shipping-policies", {"name": "Overnight"})
    await shop.call("PUT", path, {"mappings": [*rows, {"service_level": "NEXT_DAY", "policy": "Overnight"}]})
    (changed,) = await shop.published(OrderChanged)
    assert (changed.shipping_policy, changed.holds, changed.version) == ("Overnight", (), 2)
    assert [str(line.unit_price.amount) for line in changed.lines if line.unit_price] == ["9.99"]


@pytest.mark.row("C1")
async def test_the_default_mappings_are_the_four_rows_of_the_us(shop: Shop) -> None:
    path = f"/v1/channels/{shop.channels[US]}/shipping-mappings"
    again = await shop.call("POST", f"{path}/defaults")
    assert {(row["amazon_text"], row["service_level"]) for row in again["mappings"]} == {
        ("Exp US D2D Dom", "EXPEDITED"),
        ("Second US D2D Dom", "SECOND_DAY"),
        ("Econ US Dom", "FREE_ECONOMY"),
        ("Std US D2D Dom", "STANDARD"),
    }
    assert len(again["mappings"]) == 4


async def test_a_mapping_to_an_unknown_policy_or_bound_twice_is_refused(shop: Shop) -> None:
    path = f"/v1/channels/{shop.channels[US]}/shipping-mappings"
    unknown = await shop.call("PUT", path, {"mappings": [{"service_level": "X", "policy": "Nowhere"}]}, status=400)
    assert (unknown["type"], unknown["detail"]) == ("/problems/unknown-shipping-policy", "Nowhere")
    row = {"service_level": "X", "policy": "Standard"}
    twice = await shop.call("PUT", path, {"mappings": [row, row | {"policy": "Expedited"}]}, status=400)
    assert (twice["type"], twice["detail"]) == ("/problems/mapped-twice", "X")


@pytest.mark.row("C4")
@pytest.mark.edge(1)
async def test_a_released_pending_order_is_the_same_order_completed(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({"status": "PENDING"})
    await shop.get_orders()
    pending = await shop.order(amazon_order_id)
    assert (pending["status"], pending["holds"], pending["lines"][0]["unit_price"]) == ("PENDING", ["pending"], None)
    answer = await shop.service.http.get(f"/v1/orders/{pending['id']}/recipient", headers=shop.pii_headers)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-recipient")
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/release")
    await shop.get_orders()
    released = await shop.order(amazon_order_id)
    assert (released["id"], released["holds"], released["version"]) == (pending["id"], [], 2)
    assert released["lines"][0]["unit_price"]["amount"] == "9.99"
    answer = await shop.service.http.get(f"/v1/orders/{released['id']}/recipient", headers=shop.pii_headers)
    assert answer.json()["delivery_address"]["name"].startswith("Canary")
    assert len(await shop.published(OrderImported)) == 1
    assert len(await shop.published(OrderChanged)) == 1


@pytest.mark.row("C4")
@pytest.mark.edge(7)
async def test_a_cancelled_order_keeps_its_address_and_amounts(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    before = await shop.order(amazon_order_id)
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/cancel", {})
    await shop.get_orders()
    await shop.get_orders()
    after = await shop.order(amazon_order_id)
    assert after["status"] == "CANCELLED"
    assert after["lines"][0]["quantity"] == before["lines"][0]["quantity"] == 2
    assert (after["total"], after["lines"][0]["unit_price"]) == (before["total"], before["lines"][0]["unit_price"])
    answer = await shop.service.http.get(f"/v1/orders/{after['id']}/recipient", headers=shop.pii_headers)
    assert answer.json()["delivery_address"]["name"].startswith("Canary")
    (cancelled,) = await shop.published(OrderCancelled)
    assert [(line.sku, line.quantity) for line in cancelled.lines] == [("MUG-1", 2)]


@pytest.mark.edge(8)
@pytest.mark.fact("8.2.9")
async def test_a_buyers_wish_to_cancel_holds_the_order(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/request-cancel", {})
    await shop.get_orders()
    (changed,) = await shop.published(OrderChanged)
    assert changed.holds == ("cancel_requested",)
    assert await shop.explain(amazon_order_id) == ["cancel_requested"]


@pytest.mark.row("C2")
@pytest.mark.row("C5")
async def test_an_order_that_the_settings_keep_out_is_explained_and_comes_when_they_change(shop: Shop) -> None:
    old = (datetime.now(UTC) - timedelta(days=10)).isoformat()
    path = f"/v1/channels/{shop.channels[US]}/order-settings"
    await shop.call("PUT", path, {"statuses": ["UNSHIPPED"], "created_within_days": 7})
    too_old, pending = await shop.place({"created_time": old}, {"status": "PENDING"})
    run = await shop.run("get_orders", amazon_order_ids=[too_old, pending])
    assert run["counts"] == {"skipped": 2}
    assert await shop.explain(too_old) == ["too_old"]
    assert await shop.explain(pending) == ["status_not_configured"]
    await shop.call("PUT", path, {"created_within_days": 30})
    await shop.get_orders()
    assert {order["amazon_order_id"] for order in await shop.orders()} == {too_old, pending}
    assert await shop.explain(too_old) == ["waits_for_routing"]
    assert await shop.explain("111-0000000-0000000") == ["not_seen"]


@pytest.mark.edge(4)
async def test_an_order_belongs_to_the_channel_of_its_marketplace_and_one_without_channel_is_explained(
    open_shop: OpenShop,
) -> None:
    shop = await open_shop(marketplaces=(US, CANADA))
    canada = shop.channels.pop(CANADA)
    await shop.connect()
    (in_us,) = await shop.place({})
    (in_canada,) = await shop.place({}, marketplace_id=CANADA)
    run = await shop.get_orders()
    assert run["counts"]["skipped"] == 1
    assert [order["channel_id"] for order in await shop.orders()] == [str(shop.channels[US])]
    assert await shop.explain(in_canada) == ["no_channel"]
    shop.channels[CANADA] = canada
    await shop.connect()
    await shop.get_orders()
    found = {order["amazon_order_id"]: order["channel_id"] for order in await shop.orders()}
    assert found == {in_us: str(shop.channels[US]), in_canada: str(canada)}


@pytest.mark.row("C10")
async def test_an_order_that_amazon_fulfils_is_imported_and_marked(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({"fulfilled_by": "AMAZON"})
    await shop.get_orders()
    (event,) = await shop.published(OrderImported)
    assert event.fulfilled_by == "AMAZON"
    assert await shop.explain(amazon_order_id) == ["fulfilled_by_amazon"]


@pytest.mark.edge(5)
async def test_what_is_updated_behind_amazons_lag_comes_with_a_later_run(shop: Shop) -> None:
    await shop.amazon.dial("PUT", "/sandbox/settings", {"search_lag_s": 120})
    await shop.place({})
    assert (await shop.get_orders())["counts"] == {}
    await shop.amazon.dial("PUT", "/sandbox/settings", {"search_lag_s": 0})
    assert (await shop.get_orders())["counts"] == {"imported": 1}


@pytest.mark.row("A7")
async def test_a_revoked_connection_stops_and_resumes_from_its_cursor(shop: Shop) -> None:
    await shop.place({})
    await shop.get_orders()
    await shop.connect(status="revoked")
    refused = await shop.request("POST", "/v1/operations", shop.asked("get_orders"))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/connection-not-active")
    assert {bool(row[0]) for row in await shop.sql("select enabled from schedule")} == {False}
    cursors = await shop.sql("select last_updated_after from import_cursor")
    await shop.place({})
    await shop.connect()
    assert await shop.sql("select last_updated_after from import_cursor") == cursors
    assert (await shop.get_orders())["counts"] == {"imported": 1, "unchanged": 1}


@pytest.mark.edge(22)
async def test_two_accounts_with_orders_of_the_same_seller_never_mix(open_shop: OpenShop) -> None:
    shop = await open_shop()
    other = await open_shop(beside=shop, selling_partner_id="A2OTHERSELLER")
    (mine,) = await shop.place({})
    await shop.get_orders()
    assert await other.orders() == []
    order = await shop.order(mine)
    for path in (f"/v1/orders/{order['id']}", f"/v1/sellers/{shop.selling_partner_id}/orders/{mine}/explanation"):
        assert (await other.request("GET", path)).status_code == 404
    answer = await shop.service.http.get(f"/v1/orders/{order['id']}/recipient", headers=other.pii_headers)
    assert answer.status_code == 404


@pytest.mark.row("C3")
@pytest.mark.edge(3)
async def test_concurrent_imports_of_the_same_orders_leave_one_of_each(shop: Shop) -> None:
    ids = await shop.place(*[{} for _ in range(5)])
    for _ in range(2):
        await shop.start("get_orders", amazon_order_ids=ids)
    await asyncio.gather(*[shop.service.runtime.worker().run_due() for _ in range(3)])
    assert len(await shop.orders()) == 5
    assert len(await shop.published(OrderImported)) == 5
