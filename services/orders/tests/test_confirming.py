"""Shipments: taken once, never more than ordered, and confirmed only when Amazon shows the package."""

from datetime import datetime
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from common.contracts.orders import FulfillmentShipped, OrderChanged, TrackingConfirmed, TrackingRejected
from common.contracts.shipments import ShippedItem
from orders_service.confirming import AWAY_AFTER, UNANSWERED, UNSENT
from orders_service.testing import OpenShop, Shop, Spoiler


async def imported(shop: Shop, **order: object) -> str:
    (amazon_order_id,) = await shop.place(order)
    await shop.get_orders()
    return amazon_order_id


@pytest.mark.row("C7")
@pytest.mark.row("C8")
async def test_a_shipment_is_confirmed_when_amazon_shows_it_and_not_before(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    order = await shop.order(amazon_order_id)
    source_id = uuid4()
    await shop.deliver(await shop.routed(order, (source_id, 2)))
    told = shop.shipped(amazon_order_id, source_id=source_id)
    await shop.deliver(told)
    (shipped,) = await shop.published(FulfillmentShipped)
    assert (shipped.shipment_id, shipped.decision_version, shipped.lines[0].quantity) == (told.shipment_id, 1, 2)
    assert shipped.shipped_at == told.shipped_at
    assert (await shop.call("GET", "/v1/fulfillment-requests"))["items"][0]["status"] == "shipped"
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "unverified"
    assert await shop.published(TrackingConfirmed) == []
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    (confirmed,) = await shop.published(TrackingConfirmed)
    assert (confirmed.shipment_id, confirmed.package_reference_id, confirmed.carrier) == (
        told.shipment_id,
        "1",
        "UPS",
    )
    books = await shop.at_amazon(amazon_order_id)
    assert (books["status"], books["confirmations"]) == ("SHIPPED", 1)


@pytest.mark.row("C8")
@pytest.mark.edge(13)
async def test_up_ground_waits_with_the_suggestion_and_is_confirmed_after_the_edit(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id, method="UP Ground")
    await shop.deliver(told)
    (rejected,) = await shop.published(TrackingRejected)
    assert (rejected.code, rejected.suggestion) == ("unknown_method", "UPS Ground")
    await shop.sync_orders()
    assert (await shop.at_amazon(amazon_order_id))["confirmations"] == 0
    edited = await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {"method": "UPS Ground"})
    assert (edited["status"], edited["error_code"]) == ("queued", None)
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    assert (await shop.at_amazon(amazon_order_id))["confirmations"] == 1


@pytest.mark.edge(12)
async def test_each_part_that_amazon_counts_as_fulfilled_is_told(shop: Shop) -> None:
    amazon_order_id = await imported(shop, lines=[{"sku": "MUG-1", "quantity": 3, "unit_price": 5}])
    for _ in range(2):
        await shop.deliver(shop.shipped(amazon_order_id, 1))
        await shop.sync_orders()
        await shop.sync_orders()
        await shop.get_orders()
    told = await shop.published(OrderChanged)
    assert [(event.status, event.lines[0].quantity_fulfilled) for event in told] == [
        ("PARTIALLY_SHIPPED", 1),
        ("PARTIALLY_SHIPPED", 2),
    ]


@pytest.mark.row("C7")
@pytest.mark.edge(12)
async def test_parcels_of_one_order_are_packages_of_their_own_and_never_more_than_ordered(shop: Shop) -> None:
    amazon_order_id = await imported(shop, lines=[{"sku": "MUG-1", "quantity": 3, "unit_price": 5}])
    parcels = [shop.shipped(amazon_order_id, 1), shop.shipped(amazon_order_id, 2), shop.shipped(amazon_order_id, 1)]
    await shop.deliver(*parcels)
    too_much = await shop.shipment(parcels[2])
    assert (too_much["status"], too_much["error_code"]) == ("rejected", "quantity_exceeds_order")
    await shop.sync_orders()
    await shop.sync_orders()
    references = [(await shop.shipment(told))["package_reference_id"] for told in parcels]
    assert (set(references[:2]), references[2]) == ({1, 2}, None)
    books = await shop.at_amazon(amazon_order_id)
    assert (books["status"], books["confirmations"]) == ("SHIPPED", 2)
    refused = await shop.call(
        "POST",
        f"/v1/orders/{(await shop.order(amazon_order_id))['id']}/shipments",
        {"carrier": "UPS", "tracking_number": "1Z", "items": [{"sku": "MUG-1", "quantity": 1}]},
        status=409,
    )
    assert (refused["type"], refused["code"]) == ("/problems/shipment-not-possible", "quantity_exceeds_order")


@pytest.mark.row("C7")
async def test_a_shipment_told_twice_is_one_shipment_by_event_and_by_api(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id, 1)
    await shop.deliver(told, told)
    await shop.deliver(told)
    body = {
        "shipment_id": str(told.shipment_id),
        "carrier": "UPS",
        "tracking_number": "another",
        "items": [{"sku": "MUG-1", "quantity": 1}],
    }
    path = f"/v1/orders/{(await shop.order(amazon_order_id))['id']}/shipments"
    assert (await shop.call("POST", path, body))["tracking_number"] == told.tracking_number
    assert len((await shop.call("GET", "/v1/shipments"))["items"]) == 1
    assert len(await shop.published(FulfillmentShipped)) == 1


@pytest.mark.row("C7")
async def test_blanks_around_a_tracking_number_never_reach_amazon(shop: Shop) -> None:
    by_event, by_api, edited = await imported(shop), await imported(shop), await imported(shop)
    told = [shop.shipped(by_event, tracking_number=" 1ZA\t"), shop.shipped(edited, method="UP Ground")]
    await shop.deliver(*told)
    order = await shop.order(by_api)
    body = {"carrier": "UPS", "tracking_number": "\n1ZB ", "items": [{"sku": "MUG-1", "quantity": 2}]}
    await shop.call("POST", f"/v1/orders/{order['id']}/shipments", body)
    changes = {"method": "UPS Ground", "tracking_number": "\u00a01ZC "}
    await shop.call("PATCH", f"/v1/shipments/{told[1].shipment_id}", changes)
    empty = await shop.call("PATCH", f"/v1/shipments/{told[1].shipment_id}", {"tracking_number": " "}, status=400)
    assert [error["where"] for error in empty["errors"]] == ["body.tracking_number"]
    await shop.sync_orders()
    await shop.sync_orders()
    for amazon_order_id, number in ((by_event, "1ZA"), (by_api, "1ZB"), (edited, "1ZC")):
        (package,) = (await shop.at_amazon(amazon_order_id))["packages"]
        assert package["tracking_number"] == number
    assert [one["status"] for one in (await shop.call("GET", "/v1/shipments"))["items"]] == ["confirmed"] * 3


@pytest.mark.row("C7")
async def test_times_at_the_edge_of_the_calendar_are_refused_with_the_reason_and_stop_nothing(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    order = await shop.order(amazon_order_id)
    edges = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00")
    body = {"carrier": "UPS", "tracking_number": "1Z", "items": [{"sku": "MUG-1", "quantity": 1}]}
    for edge in edges:
        refused = await shop.call(
            "POST", f"/v1/orders/{order['id']}/shipments", body | {"shipped_at": edge}, status=400
        )
        assert [error["where"] for error in refused["errors"]] == ["body.shipped_at"]
        listed = await shop.call("GET", "/v1/orders", status=400, ship_by_before=edge)
        assert "its year is not between 2000 and 2200" in listed["errors"][0]["detail"]
    good = shop.shipped(amazon_order_id, 1)
    told = [good.model_copy(update={"shipment_id": uuid4(), "shipped_at": datetime.fromisoformat(e)}) for e in edges]
    await shop.deliver(*told, good)
    assert (await shop.shipment(good))["status"] == "queued"
    dead = await shop.sql("select reason from dead_letter")
    assert len(dead) == 2
    assert all("shipped_at" in reason and "its year is not between 2000 and 2200" in reason for (reason,) in dead)


@pytest.mark.row("C7")
@pytest.mark.fault("F8")
async def test_a_shipment_before_its_order_waits_and_is_applied_when_the_order_comes(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    assert (await shop.shipment(told))["status"] == "waiting"
    assert await shop.sql("select 1 from parked_key") == []
    await shop.sql("update shipment set created_at = created_at - interval '16 minutes'")
    run = await shop.sync_orders()
    assert run["errors"][0]["code"] == "order_unknown"
    await shop.get_orders()
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"


@pytest.mark.row("C4")
async def test_a_shipment_of_a_pending_order_waits_for_its_release(shop: Shop) -> None:
    amazon_order_id = await imported(shop, status="PENDING")
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "waiting"
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/release")
    await shop.get_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "unverified"


@pytest.mark.row("C10")
async def test_a_shipment_of_an_order_that_amazon_fulfils_is_never_confirmed(shop: Shop) -> None:
    amazon_order_id = await imported(shop, fulfilled_by="AMAZON")
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.sync_orders()
    assert (await shop.shipment(told))["error_code"] == "fulfilled_by_amazon"
    calls = await shop.amazon.dial("GET", "/sandbox/books/calls")
    assert "confirmShipment" not in str(calls)


async def test_an_item_that_the_order_does_not_have_is_refused_with_the_reason(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id, items=(ShippedItem(sku="mug-1", quantity=1),))
    await shop.deliver(told)
    shipment = await shop.shipment(told)
    assert (shipment["error_code"], shipment["lines"]) == ("unknown_item", [])


@pytest.mark.fault("F12")
async def test_a_confirmation_whose_answer_was_lost_is_looked_for_before_it_is_sent_again(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    fault = {"operation": "confirmShipment", "kind": "drop_after_effect", "count": 4}
    await shop.amazon.dial("POST", "/sandbox/faults", fault)
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "sending"
    sent = (await shop.at_amazon(amazon_order_id))["confirmations"]
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    books = await shop.at_amazon(amazon_order_id)
    assert (books["confirmations"], len(books["packages"])) == (sent, 1)


@pytest.mark.fault("F12")
async def test_a_confirmation_that_never_arrived_is_sent_again_as_the_same_package(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "confirmShipment", "kind": "reset", "count": 4})
    await shop.sync_orders()
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    books = await shop.at_amazon(amazon_order_id)
    assert (books["confirmations"], len(books["packages"])) == (1, 1)


@pytest.mark.row("C8")
@pytest.mark.edge(14)
@pytest.mark.fault("F12")
@pytest.mark.parametrize("change", [{"carrier": "FedEx", "method": "FedEx Ground"}, {"method": "UPS 2nd Day Air"}])
async def test_what_was_corrected_while_amazon_was_away_is_not_confirmed_by_the_old_package(
    shop: Shop, change: dict[str, str]
) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.sync_orders()
    await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", change)
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "confirmShipment", "kind": "reset", "count": 100})
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "sending"
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    for _ in range(3):
        await shop.sql("update shipment set next_attempt_at = now() where next_attempt_at is not null")
        await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    (package,) = (await shop.at_amazon(amazon_order_id))["packages"]
    expected = {"carrier": "UPS"} | change
    assert (package["carrier"], package["shipping_method"]) == (expected["carrier"], expected["method"])


@pytest.mark.row("C8")
async def test_a_correction_that_amazon_refuses_is_not_confirmed_by_the_old_package(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.sync_orders()
    await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {"method": "UPS 2nd Day Air"})
    fault = {"operation": "confirmShipment", "kind": "status", "status": 400, "count": 1}
    await shop.amazon.dial("POST", "/sandbox/faults", fault)
    await shop.sync_orders()
    refused = await shop.shipment(told)
    assert (refused["status"], refused["error_code"]) == ("rejected", "InvalidInput")


@pytest.mark.row("C7")
@pytest.mark.edge(12)
async def test_parcels_without_a_source_answer_the_requests_whose_items_they_carry(shop: Shop) -> None:
    lines = [{"sku": sku, "quantity": 1, "unit_price": 5} for sku in ("MUG-1", "CUP-1")]
    amazon_order_id = await imported(shop, lines=lines)
    order = await shop.order(amazon_order_id)
    first, second = uuid4(), uuid4()
    mugs = await shop.routed(order, (first, 1))
    cups = await shop.routed(order | {"lines": order["lines"][1:]}, (second, 1), decision_version=2)
    await shop.deliver(mugs, cups)
    parcels = [shop.shipped(amazon_order_id, items=(ShippedItem(sku=sku, quantity=1),)) for sku in ("CUP-1", "MUG-1")]
    await shop.deliver(parcels[0])
    answered = {
        item["source_id"]: item["status"] for item in (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    }
    assert answered == {str(first): "released", str(second): "shipped"}
    (event,) = await shop.published(FulfillmentShipped)
    assert (event.source_id, event.decision_version) == (second, 2)
    await shop.deliver(parcels[1])
    assert [event.source_id for event in await shop.published(FulfillmentShipped)] == [second, first]


@pytest.mark.row("C7")
async def test_a_parcel_answers_the_request_of_its_source_whose_lines_it_carries(shop: Shop) -> None:
    lines = [{"sku": sku, "quantity": 1, "unit_price": 5} for sku in ("MUG-1", "CUP-1")]
    amazon_order_id = await imported(shop, lines=lines)
    order = await shop.order(amazon_order_id)
    source_id = uuid4()
    await shop.deliver(
        await shop.routed(order, (source_id, 1)),
        await shop.routed(order | {"lines": order["lines"][1:]}, (source_id, 1), decision_version=2),
    )
    await shop.deliver(shop.shipped(amazon_order_id, 1, source_id=source_id))
    requests = (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    assert {item["decision_version"]: item["status"] for item in requests} == {1: "shipped", 2: "released"}


@pytest.mark.edge(14)
@pytest.mark.edge(31)
async def test_a_204_that_was_never_stored_is_sent_again_then_parked_with_an_alarm_and_can_be_retried(
    shop: Shop,
) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    fault = {"operation": "confirmShipment", "kind": "lost_effect", "count": 100}
    await shop.amazon.dial("POST", "/sandbox/faults", fault)
    for _ in range(6):
        await shop.sync_orders()
    shipment = await shop.shipment(told)
    assert (shipment["status"], shipment["error_code"], shipment["attempts"]) == ("unverified", "not_visible", 3)
    assert shipment["alarmed_at"] is not None
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {})
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"


@pytest.mark.edge(31)
async def test_a_confirmation_whose_answer_stays_lost_is_parked_with_an_alarm_and_goes_on_after_an_edit(
    shop: Shop,
) -> None:
    def parked() -> float:
        return REGISTRY.get_sample_value("entrepot_parked_items_total", {"kind": "shipment"}) or 0.0

    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "confirmShipment", "kind": "reset", "count": 1000})
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["attempts"] == 2
    before = parked()
    due = "update shipment set attempts = $1, next_attempt_at = now()"
    await shop.sql(due, len(UNSENT.pauses))
    await shop.sync_orders()
    ((waits,),) = await shop.sql("select next_attempt_at > now() + interval '3 hours' from shipment")
    assert (waits, parked()) == (True, before)
    await shop.sql(due + ", status = 'sending'", len(UNSENT.pauses) + 1)
    run = await shop.sync_orders()
    assert run["errors"][0]["code"] == "outcome_unknown"
    shipment = await shop.shipment(told)
    assert (shipment["status"], shipment["error_code"]) == ("sending", "outcome_unknown")
    assert shipment["alarmed_at"] is not None
    assert parked() == before + 1
    await shop.sync_orders()
    assert (parked(), (await shop.shipment(told))["attempts"]) == (before + 1, len(UNSENT.pauses) + 1)
    # The fix that it tells makes it go away.
    await shop.amazon.dial("DELETE", "/sandbox/faults")
    await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {})
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"


@pytest.mark.edge(34)
@pytest.mark.parametrize("oddity", [None, "bare word", "nul"])
@pytest.mark.parametrize("places", [(0,), (1,), (2,), (0, 1, 2)])
async def test_a_shipped_order_that_amazon_does_not_give_keeps_no_other_parcel_from_being_confirmed(
    open_shop: OpenShop, spoiler: Spoiler, oddity: str | None, places: tuple[int, ...]
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    placed = await shop.place({}, {}, {})
    await shop.get_orders()
    told = [shop.shipped(amazon_order_id) for amazon_order_id in placed]
    await shop.deliver(*told)
    await shop.sync_orders()
    odd = [placed[place] for place in places]
    if oddity:
        spoiler.odd = dict.fromkeys(odd, oddity)
    else:
        spoiler.failing = set(odd)
    run = await shop.sync_orders()
    assert run["status"] == "succeeded"
    assert {error["amazon_order_id"] for error in run["errors"]} == set(odd)
    expected = ["unverified" if place in places else "confirmed" for place in range(3)]
    assert [(await shop.shipment(one))["status"] for one in told] == expected
    spoiler.odd, spoiler.failing = {}, set()
    await shop.sql("update shipment set next_attempt_at = now() where status = 'unverified'")
    await shop.sync_orders()
    assert {(await shop.shipment(one))["status"] for one in told} == {"confirmed"}


@pytest.mark.edge(34)
async def test_a_parcel_whose_order_amazon_never_gives_is_parked_with_an_alarm(
    open_shop: OpenShop, spoiler: Spoiler
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    await shop.sync_orders()
    spoiler.odd = {amazon_order_id: "shape"}
    await shop.sync_orders()
    ((failures, waits),) = await shop.sql("select failures, next_attempt_at > now() from shipment")
    assert (failures, waits) == (1, True)
    await shop.sql("update shipment set failures = $1, next_attempt_at = now()", len(UNANSWERED.pauses))
    await shop.sync_orders()
    shipment = await shop.shipment(told)
    assert (shipment["status"], shipment["error_code"]) == ("unverified", "malformed")
    assert shipment["alarmed_at"] is not None
    assert await shop.sql("select next_attempt_at from shipment") == [(None,)]
    spoiler.odd = {}
    await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {})
    await shop.sync_orders()
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"


async def test_while_amazon_is_away_the_run_waits_and_no_more_parcels_are_blamed(
    open_shop: OpenShop, spoiler: Spoiler
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    placed = await shop.place(*[{} for _ in range(AWAY_AFTER + 1)])
    await shop.get_orders()
    await shop.deliver(*[shop.shipped(amazon_order_id) for amazon_order_id in placed])
    await shop.sync_orders()
    spoiler.failing = set(placed)
    run = await shop.sync_orders()
    assert run["status"] == "queued"
    assert await shop.sql("select count(*) from shipment where failures = 1") == [(AWAY_AFTER,)]


@pytest.mark.edge(14)
@pytest.mark.fact("8.4.7")
async def test_a_package_that_shows_late_is_waited_for_and_sent_once(open_shop: OpenShop) -> None:
    shop = await open_shop(read_back_delays="0,0,0,0")
    await shop.amazon.dial("PUT", "/sandbox/settings", {"shipment_delay_s": 3600})
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id)
    await shop.deliver(told)
    for _ in range(3):
        await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "unverified"
    await shop.amazon.dial("POST", "/sandbox/clock", {"advance_s": 3601})
    await shop.sync_orders()
    assert (await shop.shipment(told))["status"] == "confirmed"
    assert (await shop.at_amazon(amazon_order_id))["confirmations"] == 1


async def confirmed_elsewhere(shop: Shop, amazon_order_id: str, tracking_number: str) -> None:
    """Somebody confirms the whole order in Seller Central, under another package reference."""
    order = await shop.order(amazon_order_id)
    package = {
        "packageReferenceId": "77",
        "carrierCode": "UPS",
        "trackingNumber": tracking_number,
        "shipDate": order["purchased_at"],
        "orderItems": [{"orderItemId": order["lines"][0]["order_item_id"], "quantity": 2}],
    }
    answer = await shop.service.http.post(
        f"{shop.amazon.endpoints[shop.region]}/orders/v0/orders/{amazon_order_id}/shipmentConfirmation",
        json={"marketplaceId": order["marketplace_id"], "packageDetail": package},
        headers={"x-amz-access-token": await shop.access_token()},
    )
    assert answer.status_code == 204, answer.text


@pytest.mark.edge(14)
@pytest.mark.fact("8.4.6")
async def test_already_shipped_with_this_tracking_is_success_and_with_another_a_conflict(shop: Shop) -> None:
    same, other = await imported(shop), await imported(shop)
    told = [shop.shipped(same), shop.shipped(other)]
    await confirmed_elsewhere(shop, same, told[0].tracking_number)
    await confirmed_elsewhere(shop, other, "SOMETHING-ELSE")
    await shop.deliver(*told)
    await shop.sync_orders()
    assert (await shop.shipment(told[0]))["status"] == "confirmed"
    conflict = await shop.shipment(told[1])
    assert (conflict["status"], conflict["error_code"]) == ("conflict", "already_fulfilled")
    assert "Unable to find package" in conflict["error_detail"]


@pytest.mark.row("C8")
@pytest.mark.edge(13)
async def test_amazons_own_refusal_lands_on_its_shipment_and_the_others_go_on(shop: Shop) -> None:
    bad, good = await imported(shop), await imported(shop)
    told = [shop.shipped(bad), shop.shipped(good)]
    await shop.deliver(*told)
    fault = {"operation": "confirmShipment", "kind": "status", "status": 400, "count": 1}
    await shop.amazon.dial("POST", "/sandbox/faults", fault)
    await shop.sync_orders()
    await shop.sync_orders()
    statuses = sorted([(await shop.shipment(one))["status"] for one in told])
    assert statuses == ["confirmed", "rejected"]
    (rejected,) = await shop.published(TrackingRejected)
    assert rejected.code == "InvalidInput"


async def test_an_account_teaches_a_method_of_its_own(shop: Shop) -> None:
    amazon_order_id = await imported(shop)
    told = shop.shipped(amazon_order_id, method="Night Van")
    await shop.deliver(told)
    assert (await shop.shipment(told))["status"] == "rejected"
    taught = await shop.call("POST", "/v1/carriers/methods", {"carrier": "ups", "method": "Night Van"})
    assert taught["carrier"] == "UPS"
    retried = await shop.call("PATCH", f"/v1/shipments/{told.shipment_id}", {})
    assert retried["status"] == "queued"
    unknown = await shop.call("POST", "/v1/carriers/methods", {"carrier": "Bob", "method": "Van"}, status=400)
    assert unknown["type"] == "/problems/unknown-carrier"
