"""Routing decisions become requests to sources, after a last look at the source and the order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.compliance import OrderHeld, RejectedSource, SourceComplianceChanged
from common.contracts.orders import (
    FulfillmentLine,
    FulfillmentRefused,
    FulfillmentRequested,
    FulfillmentWithdrawn,
    OrderChanged,
)
from common.testing.events import deliver
from orders_service.testing import Shop


async def imported(shop: Shop, **order: object) -> dict[str, object]:
    (amazon_order_id,) = await shop.place(order)
    await shop.get_orders()
    found: dict[str, object] = await shop.order(amazon_order_id)
    return found


def switched(
    shop: Shop, source_id: object, *, compliant: bool, version: int, name: str = "Grey Wholesale"
) -> SourceComplianceChanged:
    return SourceComplianceChanged.model_validate(
        {
            "account_id": shop.account_id,
            "source_id": source_id,
            "source_name": name,
            "compliant": compliant,
            "attestation_version": version,
            "changed_at": "2026-01-01T00:00:00Z",
        }
    )


@pytest.mark.row("C6")
@pytest.mark.edge(12)
async def test_a_route_over_two_sources_releases_a_request_for_each_once(shop: Shop) -> None:
    order = await imported(shop)
    routed = await shop.routed(order, (uuid4(), 1), (uuid4(), 1))
    event_id = uuid4()
    await deliver(shop.consumer, routed, event_id=event_id)
    await deliver(shop.consumer, routed, event_id=event_id)
    await shop.deliver(routed)
    requested = await shop.published(FulfillmentRequested)
    assert [event.source_id for event in requested] == [a.source_id for a in routed.allocations]
    assert {(event.decision_version, event.lines[0].quantity) for event in requested} == {(1, 1)}
    page = await shop.call("GET", "/v1/fulfillment-requests", source_id=str(requested[0].source_id))
    assert [item["status"] for item in page["items"]] == ["released"]
    assert await shop.explain(str(order["amazon_order_id"])) == []


@pytest.mark.row("D5")
@pytest.mark.edge(24)
async def test_nothing_is_released_to_a_source_that_was_switched_off_meanwhile(shop: Shop) -> None:
    order = await imported(shop)
    source_id = uuid4()
    await shop.deliver(switched(shop, source_id, compliant=False, version=2))
    await shop.deliver(await shop.routed(order, (source_id, 2), attestation_version=1))
    assert await shop.published(FulfillmentRequested) == []
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert (withdrawn.decision_version, withdrawn.reason) == (1, "source_not_compliant")
    assert "Grey Wholesale" in withdrawn.detail
    assert await shop.explain(str(order["amazon_order_id"])) == ["request_withdrawn"]
    # Switched on again: the decision that was made with it is followed.
    await shop.deliver(await shop.routed(order, (source_id, 2), decision_version=2, attestation_version=3))
    assert len(await shop.published(FulfillmentRequested)) == 1


@pytest.mark.row("D5")
@pytest.mark.edge(24)
async def test_nothing_is_released_once_an_attestation_has_run_out_whether_or_not_anybody_said_so(shop: Shop) -> None:
    order = await imported(shop)
    source_id = uuid4()
    routed = await shop.routed(order, (source_id, 2))
    until = datetime.now(UTC) - timedelta(seconds=1)
    (allocation,) = routed.allocations
    ran_out = allocation.model_copy(update={"attested_until": until, "source_name": "Grey Wholesale"})
    await shop.deliver(routed.model_copy(update={"allocations": (ran_out,)}))
    assert await shop.published(FulfillmentRequested) == []
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert withdrawn.reason == "source_not_compliant"
    assert withdrawn.detail == "Grey Wholesale: its attestation to the Amazon agreement has run out"
    assert "Grey Wholesale" in (await shop.call("GET", "/v1/fulfillment-requests"))["items"][0]["detail"]


@pytest.mark.row("D3")
@pytest.mark.edge(24)
async def test_a_route_of_before_the_agreement_does_not_pass_for_an_attestation(shop: Shop) -> None:
    early = await imported(shop)
    later = await imported(shop)
    source_id = uuid4()
    await shop.sql(
        "update orders set purchased_at = '2022-09-21T23:59:59Z' where amazon_order_id = $1", early["amazon_order_id"]
    )
    await shop.deliver(await shop.routed(early, (source_id, 2), attestation_version=0))
    assert len(await shop.published(FulfillmentRequested)) == 1
    await shop.deliver(await shop.routed(later, (source_id, 2), attestation_version=0))
    assert len(await shop.published(FulfillmentRequested)) == 1
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert (withdrawn.amazon_order_id, withdrawn.reason) == (later["amazon_order_id"], "source_not_compliant")


@pytest.mark.fault("F8")
async def test_an_older_attestation_that_comes_late_changes_nothing(shop: Shop) -> None:
    order = await imported(shop)
    source_id = uuid4()
    await shop.deliver(
        switched(shop, source_id, compliant=True, version=3), switched(shop, source_id, compliant=False, version=2)
    )
    await shop.deliver(await shop.routed(order, (source_id, 2), attestation_version=3))
    assert len(await shop.published(FulfillmentRequested)) == 1


@pytest.mark.row("D5")
@pytest.mark.fault("F8")
async def test_a_source_goes_by_its_newest_name_and_an_older_attestation_does_not_bring_back_the_old_one(
    shop: Shop,
) -> None:
    order = await imported(shop)
    source_id = uuid4()
    await shop.deliver(switched(shop, source_id, compliant=False, version=2))
    await shop.deliver(switched(shop, source_id, compliant=False, version=2, name="White Wholesale"))
    await shop.deliver(switched(shop, source_id, compliant=True, version=1))
    await shop.deliver(await shop.routed(order, (source_id, 2), attestation_version=1))
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert withdrawn.detail == "White Wholesale has no attestation to the Amazon agreement"


async def test_a_route_decided_on_an_older_version_of_the_order_is_withdrawn(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({"status": "PENDING"})
    await shop.get_orders()
    pending = await shop.order(amazon_order_id)
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/release")
    await shop.get_orders()
    await shop.deliver(await shop.routed(pending, (uuid4(), 2)))
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert withdrawn.reason == "order_version_outdated"


@pytest.mark.edge(7)
@pytest.mark.edge(8)
async def test_a_cancelled_or_held_order_is_not_released(shop: Shop) -> None:
    first = await imported(shop)
    second = await imported(shop)
    await shop.amazon.dial("POST", f"/sandbox/orders/{first['amazon_order_id']}/cancel", {})
    await shop.amazon.dial("POST", f"/sandbox/orders/{second['amazon_order_id']}/request-cancel", {})
    await shop.get_orders()
    for order in (first, second):
        await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    reasons = [event.reason for event in await shop.published(FulfillmentWithdrawn)]
    assert reasons == ["order_closed", "order_on_hold"]


async def test_a_second_route_never_asks_for_more_than_was_ordered(shop: Shop) -> None:
    order = await imported(shop)
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    await shop.deliver(await shop.routed(order, (uuid4(), 1), decision_version=2))
    assert len(await shop.published(FulfillmentRequested)) == 1
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert (withdrawn.decision_version, withdrawn.reason) == (2, "already_released")


@pytest.mark.row("C6")
@pytest.mark.edge(12)
async def test_every_decision_of_a_batch_is_followed_since_each_covers_only_what_was_open(shop: Shop) -> None:
    order = await imported(shop)
    second, third = uuid4(), uuid4()
    await shop.deliver(
        await shop.routed(order, (third, 1), decision_version=3),
        await shop.routed(order, (second, 1), decision_version=2),
    )
    requested = await shop.published(FulfillmentRequested)
    assert [(event.decision_version, event.source_id) for event in requested] == [(2, second), (3, third)]
    assert await shop.published(FulfillmentWithdrawn) == []


@pytest.mark.row("C6")
async def test_of_a_batch_only_the_decision_that_must_not_be_followed_is_withdrawn(shop: Shop) -> None:
    order = await imported(shop)
    off = uuid4()
    await shop.deliver(switched(shop, off, compliant=False, version=2))
    await shop.deliver(
        await shop.routed(order, (off, 1), decision_version=1),
        await shop.routed(order, (uuid4(), 2), decision_version=2),
        await shop.routed(order, (uuid4(), 1), decision_version=3),
    )
    assert [event.decision_version for event in await shop.published(FulfillmentRequested)] == [2]
    withdrawn = await shop.published(FulfillmentWithdrawn)
    assert [(event.decision_version, event.reason) for event in withdrawn] == [
        (1, "source_not_compliant"),
        (3, "already_released"),
    ]


@pytest.mark.edge(7)
async def test_a_cancelled_order_asks_the_sources_that_have_it_already(shop: Shop) -> None:
    order = await imported(shop)
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    await shop.amazon.dial("POST", f"/sandbox/orders/{order['amazon_order_id']}/cancel", {})
    await shop.get_orders()
    (request,) = (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    assert request["status"] == "released"
    assert request["cancel_requested_at"] is not None


async def two_lines_released(shop: Shop) -> tuple[dict[str, Any], UUID, UUID]:
    """An order of two MUG-1 and one CUP-1, whose MUG-1 two sources ship and whose CUP-1 the second one."""
    lines = [{"sku": sku, "quantity": units, "unit_price": 9.99} for sku, units in (("MUG-1", 2), ("CUP-1", 1))]
    order: Any = await imported(shop, lines=lines)
    first, second = uuid4(), uuid4()
    mug, cup = [FulfillmentLine(order_item_id=ln["order_item_id"], sku=ln["sku"], quantity=1) for ln in order["lines"]]
    routed = await shop.routed(order, (first, 1), (second, 1))
    one, two = routed.allocations
    allocations = (one, two.model_copy(update={"lines": (mug, cup)}))
    await shop.deliver(routed.model_copy(update={"allocations": allocations}))
    return order, first, second


async def requests(shop: Shop) -> dict[UUID, Any]:
    page = await shop.call("GET", "/v1/fulfillment-requests")
    return {UUID(item["source_id"]): item for item in page["items"]}


async def cancel_item(shop: Shop, order: dict[str, Any], sku: str, units: int | None = None) -> None:
    (item,) = [line["order_item_id"] for line in order["lines"] if line["sku"] == sku]
    path = f"/sandbox/orders/{order['amazon_order_id']}/cancel-items"
    await shop.amazon.dial("POST", path, {"items": {item: units}})
    await shop.get_orders()


@pytest.mark.row("C4", "C6")
@pytest.mark.edge(48)
async def test_a_cancelled_item_is_told_to_the_source_that_has_it_which_then_ships_the_rest(shop: Shop) -> None:
    order, first, second = await two_lines_released(shop)
    await cancel_item(shop, order, "CUP-1")
    (changed,) = await shop.published(OrderChanged)
    assert [line.sku for line in changed.lines] == ["MUG-1"]
    told = await requests(shop)
    assert told[first]["cancel_requested_at"] is None
    assert told[second]["cancel_requested_at"] is not None
    assert [line.get("cancelled") for line in told[second]["lines"]] == [None, 1]
    await shop.deliver(shop.shipped(str(order["amazon_order_id"]), 1, source_id=second))
    told = await requests(shop)
    assert (told[first]["status"], told[second]["status"]) == ("released", "shipped")


@pytest.mark.row("C4", "C6")
async def test_a_request_is_done_when_all_that_has_not_left_of_it_is_cancelled(shop: Shop) -> None:
    order, _, second = await two_lines_released(shop)
    await shop.deliver(shop.shipped(str(order["amazon_order_id"]), 1, source_id=second))
    assert (await requests(shop))[second]["status"] == "released"
    await cancel_item(shop, order, "CUP-1")
    assert (await requests(shop))[second]["status"] == "shipped"


@pytest.mark.row("C4", "C6")
@pytest.mark.edge(48)
async def test_of_an_item_ordered_in_smaller_number_the_newest_request_has_less_to_ship(shop: Shop) -> None:
    order = await imported(shop, lines=[{"sku": "MUG-1", "quantity": 3, "unit_price": 9.99}])
    older, newer = uuid4(), uuid4()
    await shop.deliver(await shop.routed(order, (older, 2)), await shop.routed(order, (newer, 1), decision_version=2))
    await cancel_item(shop, order, "MUG-1", 1)
    (changed,) = await shop.published(OrderChanged)
    assert [line.quantity for line in changed.lines] == [2]
    told = await requests(shop)
    assert (told[older]["cancel_requested_at"], told[older]["lines"][0].get("cancelled")) == (None, None)
    assert told[newer]["cancel_requested_at"] is not None
    assert (told[newer]["status"], told[newer]["lines"][0]["cancelled"]) == ("released", 1)


@pytest.mark.row("C6")
async def test_a_source_acknowledges_or_refuses_and_a_refusal_is_told_once(shop: Shop) -> None:
    order = await imported(shop)
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    (request,) = (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    path = f"/v1/fulfillment-requests/{request['id']}"
    assert (await shop.call("POST", f"{path}/acknowledge"))["status"] == "acknowledged"
    for _ in range(2):
        await shop.call("POST", f"{path}/refuse", {"resolution": "fill", "reason": "broken"})
    (refused,) = await shop.published(FulfillmentRefused)
    assert (refused.resolution, refused.decision_version, refused.reason) == ("fill", 1, "broken")
    late = await shop.call("POST", f"{path}/acknowledge", status=409)
    assert late["type"] == "/problems/fulfillment-request-not-open"
    # What was refused may be asked of another source.
    await shop.deliver(await shop.routed(order, (uuid4(), 2), decision_version=2))
    assert len(await shop.published(FulfillmentRequested)) == 2


@pytest.mark.row("C5")
async def test_why_compliance_holds_an_order_is_kept_until_it_is_routed(shop: Shop) -> None:
    order = await imported(shop)
    amazon_order_id = str(order["amazon_order_id"])
    source_id = uuid4()
    rejected = RejectedSource(source_id=source_id, source_name="Grey", code="not_compliant", detail="toggle off")
    await shop.deliver(
        OrderHeld(
            account_id=shop.account_id,
            selling_partner_id=shop.selling_partner_id,
            amazon_order_id=amazon_order_id,
            decision_version=1,
            order_version=1,
            code="none_compliant",
            detail="Grey has not attested",
            rejected=(rejected,),
        )
    )
    hold = (await shop.order(amazon_order_id))["routing_hold"]
    assert (hold["code"], hold["rejected"][0]["source_name"]) == ("none_compliant", "Grey")
    assert await shop.explain(amazon_order_id) == ["none_compliant"]
    await shop.deliver(await shop.routed(order, (source_id, 2), decision_version=2))
    assert (await shop.order(amazon_order_id))["routing_hold"] is None


async def test_a_decision_about_an_order_of_another_system_is_passed_by(shop: Shop) -> None:
    order = {"amazon_order_id": "elsewhere-1", "version": 1, "lines": [{"order_item_id": "1", "sku": "X"}]}
    await shop.deliver(await shop.routed(order, (uuid4(), 1)))
    assert await shop.published(FulfillmentWithdrawn) == []
    assert await shop.sql("select 1 from parked_key") == []


@pytest.mark.row("C7")
async def test_units_that_left_unasked_are_asked_of_nobody(shop: Shop) -> None:
    order = await imported(shop)
    await shop.deliver(shop.shipped(str(order["amazon_order_id"]), 1))
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    (withdrawn,) = await shop.published(FulfillmentWithdrawn)
    assert withdrawn.reason == "already_released"
    await shop.deliver(await shop.routed(order, (uuid4(), 1), decision_version=2))
    (requested,) = await shop.published(FulfillmentRequested)
    assert requested.lines[0].quantity == 1


async def test_what_a_source_shipped_before_it_refused_the_rest_counts_once(shop: Shop) -> None:
    order = await imported(shop)
    source_id = uuid4()
    await shop.deliver(await shop.routed(order, (source_id, 2)))
    await shop.deliver(shop.shipped(str(order["amazon_order_id"]), 1, source_id=source_id))
    (request,) = (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    path = f"/v1/fulfillment-requests/{request['id']}/refuse"
    await shop.call("POST", path, {"resolution": "fill", "reason": "broken"})
    await shop.deliver(await shop.routed(order, (uuid4(), 2), decision_version=2))
    await shop.deliver(await shop.routed(order, (uuid4(), 1), decision_version=3))
    assert [event.lines[0].quantity for event in await shop.published(FulfillmentRequested)] == [2, 1]


async def test_units_that_amazon_counts_as_fulfilled_are_asked_of_nobody(shop: Shop) -> None:
    order = await imported(shop)
    await shop.sql("update order_line set quantity_fulfilled = 1 where order_id = $1", order["id"])
    await shop.deliver(await shop.routed(order, (uuid4(), 2)))
    await shop.deliver(await shop.routed(order, (uuid4(), 1), decision_version=2))
    (requested,) = await shop.published(FulfillmentRequested)
    assert (requested.decision_version, requested.lines[0].quantity) == (2, 1)
