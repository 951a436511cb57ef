"""How one call to Amazon goes: what is on the wire, what is tried again, and which error stands for which answer."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from common import telemetry
from common.amazon import errors, listings, orders, sellers
from common.amazon.access import Seller
from common.amazon.client import AmazonClient
from common.amazon.errors import first_fault
from common.amazon.limits import Limits
from common.amazon.operations import CREATE_FEED, GET_LISTINGS_ITEM, GET_MARKETPLACE_PARTICIPATIONS, GET_ORDER
from common.amazon.order import Order

ClientOf = Callable[..., AmazonClient]
ITEM = {"sku": "A"}
ORDER = {
    "order": {
        "orderId": "1",
        "createdTime": "2026-08-01T10:00:00Z",
        "lastUpdatedTime": "2026-08-01T10:00:00Z",
        "salesChannel": {"channelName": "AMAZON"},
        "orderItems": [],
    }
}


async def get_order(client: AmazonClient, seller: Seller) -> Order:
    return await orders.get_order(client, seller, "1")


@pytest.mark.edge(16)
@pytest.mark.fact("5.1.1")
@pytest.mark.parametrize(
    ("sku", "on_the_wire"),
    [
        ("A/B", "A%2FB"),
        ("A%2FB", "A%252FB"),
        ("A B", "A%20B"),
        ("a+b&c", "a%2Bb%26c"),
        ("ü", "%C3%BC"),
        ("007", "007"),
        ("O'Neill", "O%27Neill"),
        ("..", "%2E%2E"),
        ("?#", "%3F%23"),
        ("Case", "Case"),
    ],
)
async def test_a_sku_arrives_byte_exact_in_the_path(
    client_of: ClientOf, seller: Seller, wire: Any, sku: str, on_the_wire: str
) -> None:
    wire.answers(wire.json(ITEM))
    await listings.get_listings_item(client_of("listings"), seller, sku, marketplace_id="ATVPDKIKX0DER")
    path, _, query = wire.arrived[0].target.partition("?")
    assert path == f"/listings/2021-08-01/items/A1SELLER/{on_the_wire}"
    assert query.startswith("marketplaceIds=ATVPDKIKX0DER&includedData=summaries%2C")


@pytest.mark.fact("2.3.5")
async def test_a_call_carries_the_sellers_token_the_time_and_who_we_are(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.json(ORDER))
    await get_order(client_of(), seller)
    headers = wire.arrived[0].headers
    assert headers["x-amz-access-token"] == "Atza|first-token"
    assert len(headers["x-amz-date"]) == len("20260801T100000Z")
    assert headers["user-agent"].startswith("Entrepot/")
    assert "content-type" not in headers


@pytest.mark.fault("F11")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_tried_again(client_of: ClientOf, seller: Seller, wire: Any, status: int) -> None:
    wire.answers(wire.fault(status), wire.raw(b"<html>503</html>", status), wire.raw(b"", status), wire.json(ORDER))
    assert (await get_order(client_of(), seller)).order_id == "1"
    assert len(wire.arrived) == 4


@pytest.mark.fault("F11")
async def test_a_lasting_server_error_ends_as_unavailable(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.raw(b"<html>Service Unavailable</html>", 503))
    with pytest.raises(errors.AmazonUnavailable) as failure:
        await get_order(client_of(attempts=3), seller)
    assert failure.value.status == 503
    assert len(wire.arrived) == 3


@pytest.mark.fault("F11")
async def test_retries_stay_a_tenth_of_the_calls_when_everything_fails(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    client = client_of("listings", max_wait=0.0)
    wire.answers(wire.fault(503))
    # Each caller is another seller, so that no bucket stands in the way.
    callers = [Seller(seller.account_id, uuid.uuid4(), f"A{number}", "NA") for number in range(60)]
    for caller in callers:
        with pytest.raises(errors.AmazonUnavailable):
            await listings.get_listings_item(client, caller, "A", marketplace_id="ATVPDKIKX0DER")
    assert len(wire.arrived) <= len(callers) + 10 + len(callers) // 10


@pytest.mark.fault("F11")
@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b'{"order": {"orderId"', b"[]", b"{}", b'{"order": null}', b"\xff"]
)
async def test_a_success_that_cannot_be_read_is_no_answer(
    client_of: ClientOf, seller: Seller, wire: Any, body: bytes
) -> None:
    wire.answers(wire.raw(body, x_amzn_RequestId="request-7"))
    with pytest.raises(errors.MalformedAnswer) as failure:
        await get_order(client_of(), seller)
    assert failure.value.request_id == "request-7"
    assert len(wire.arrived) == 1


@pytest.mark.fault("F12")
async def test_a_lost_answer_is_asked_for_again_when_the_operation_may_repeat(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.SILENT, wire.json({"sku": "A", "status": "ACCEPTED", "submissionId": "s"}))
    patch = listings.quantity_patch(3)
    submission = await listings.patch_listings_item(
        client_of("listings"), seller, "A", marketplace_id="ATVPDKIKX0DER", product_type="PRODUCT", patches=[patch]
    )
    assert submission.status == "ACCEPTED"
    assert [request.body for request in wire.arrived] == [wire.arrived[0].body] * 2


@pytest.mark.fault("F12")
@pytest.mark.fact("3.9")
@pytest.mark.parametrize("bad", ["lost", "500"])
async def test_a_feed_with_an_unknown_outcome_is_not_sent_again(
    client_of: ClientOf, seller: Seller, wire: Any, bad: str
) -> None:
    wire.answers(wire.SILENT if bad == "lost" else wire.fault(500))
    with pytest.raises(errors.OutcomeUnknown) as failure:
        await client_of().call(CREATE_FEED, seller, body=b"{}", into=dict)
    assert isinstance(failure.value, errors.AmazonError)
    assert len(wire.arrived) == 1


@pytest.mark.fault("F12")
async def test_what_was_surely_not_sent_is_tried_again_even_if_it_must_not_repeat(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    client = client_of(attempts=2)
    wire.url = "http://127.0.0.1:9"
    refused = client_of(attempts=2)
    with pytest.raises(errors.AmazonUnavailable, match="not sent"):
        await refused.call(CREATE_FEED, seller, body=b"{}", into=dict)
    wire.answers(wire.json({"feedId": "f"}))
    assert await client.call(CREATE_FEED, seller, body=b"{}", into=dict) == {"feedId": "f"}


@pytest.mark.fact("3.4")
async def test_a_429_is_tried_again_once_the_emptied_bucket_has_a_token(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.fault(429, "QuotaExceeded"), wire.json(ITEM))
    client = client_of("listings", max_wait=3.0)
    item = await listings.get_listings_item(client, seller, "A", marketplace_id="ATVPDKIKX0DER")
    assert (item.sku, len(wire.arrived)) == ("A", 2)


@pytest.mark.fault("F10")
async def test_a_429_of_a_slow_operation_tells_when_to_come_back_instead_of_sleeping(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.fault(429, "QuotaExceeded"))
    client = client_of(max_wait=1.0)
    with pytest.raises(errors.Throttled) as throttled:
        await client.call(GET_ORDER, seller, path={"orderId": "1"}, into=dict)
    assert 1.0 < throttled.value.retry_after <= 2.1
    with pytest.raises(errors.Throttled):
        await client.call(GET_ORDER, seller, path={"orderId": "1"}, into=dict)
    assert len(wire.arrived) == 1


@pytest.mark.fault("F10")
async def test_a_storm_of_429s_is_met_with_no_more_calls_than_the_allowance(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.fault(429, "QuotaExceeded"))
    client = client_of("listings", max_wait=0.3)

    async def call() -> None:
        with pytest.raises(errors.Throttled):
            await client.call(GET_LISTINGS_ITEM, seller, path={"sellerId": "S", "sku": "A"}, into=dict)

    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(call() for _ in range(30)))
    elapsed = asyncio.get_running_loop().time() - started
    assert len(wire.arrived) <= GET_LISTINGS_ITEM.burst + GET_LISTINGS_ITEM.rate * elapsed


@pytest.mark.fact("3.3")
async def test_a_lower_rate_in_an_answer_is_adopted_and_survives_a_restart(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.json(ORDER, x_amzn_RateLimit_Limit="0.01"))
    await get_order(client_of(), seller)
    wire.answers(wire.fault(429, "QuotaExceeded"))
    with pytest.raises(errors.Throttled) as throttled:
        await get_order(client_of(), seller)
    assert 95 < throttled.value.retry_after <= 100.1


@pytest.mark.fact("3.9")
async def test_a_refused_token_is_replaced_once(client_of: ClientOf, seller: Seller, wire: Any, tokens: Any) -> None:
    wire.answers(wire.fault(403, "Unauthorized"), wire.json(ORDER))
    assert (await get_order(client_of(), seller)).order_id == "1"
    assert [request.headers["x-amz-access-token"] for request in wire.arrived] == [
        "Atza|first-token",
        "Atza|second-token",
    ]
    assert tokens.refusals == ["Atza|first-token"]


@pytest.mark.fact("3.8")
async def test_a_fresh_token_that_is_refused_too_means_access_is_denied(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.fault(403, "Unauthorized"))
    with pytest.raises(errors.AccessDenied) as failure:
        await get_order(client_of(), seller)
    assert (failure.value.status, failure.value.code) == (403, "Unauthorized")
    assert len(wire.arrived) == 2


@pytest.mark.fault("F14")
@pytest.mark.edge(21)
async def test_a_revoked_grant_ends_the_call_after_one_request(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    class Revoked:
        async def get(self, seller: Seller) -> str:
            return "Atza|old"

        async def refused(self, seller: Seller, token: str) -> str:
            raise errors.ConnectionRevoked("access token")

    wire.answers(wire.fault(403, "Unauthorized"))
    with pytest.raises(errors.ConnectionRevoked):
        await get_order(client_of(access=Revoked()), seller)
    assert len(wire.arrived) == 1


@pytest.mark.fact("3.6")
@pytest.mark.parametrize("status", [400, 413, 415, 409])
async def test_a_refusal_of_the_input_keeps_amazons_words_and_is_not_repeated(
    client_of: ClientOf, seller: Seller, wire: Any, status: int
) -> None:
    body = {"errors": [{"code": "Invalid Input", "message": "No such carrier", "details": "x"}]}
    wire.answers(wire.json(body, status, x_amzn_RequestId="request-2"))
    with pytest.raises(errors.InvalidInput) as failure:
        await get_order(client_of(), seller)
    refused = failure.value
    assert (refused.status, refused.code, refused.request_id) == (status, "Invalid Input", "request-2")
    assert (refused.message, refused.details) == ("No such carrier", "x")
    assert str(refused) == f"getOrder: InvalidInput {status} Invalid Input (request request-2)"
    assert len(wire.arrived) == 1


@pytest.mark.fact("3.6")
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"errors": []}', b'{"errors": [{"code": null, "message": null}]}'])
async def test_a_refusal_without_readable_errors_is_still_told_by_its_status(
    client_of: ClientOf, seller: Seller, wire: Any, body: bytes
) -> None:
    wire.answers(wire.raw(body, 400))
    with pytest.raises(errors.InvalidInput) as failure:
        await get_order(client_of(), seller)
    assert (failure.value.status, failure.value.code, failure.value.message) == (400, None, "")


async def test_what_amazon_does_not_have_is_not_found(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.fault(404, "NOT_FOUND"))
    with pytest.raises(errors.AmazonNotFound):
        await get_order(client_of(), seller)


@pytest.mark.row("A8")
async def test_no_log_or_error_of_a_failing_call_holds_a_token_or_a_body(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    secrets = ("Atza|", "canary")
    failures = []
    with structlog.testing.capture_logs() as logged:
        for answer in (
            wire.fault(403),
            wire.fault(400, message="canary"),
            wire.raw(b'{"order": "canary"}'),
            wire.SILENT,
        ):
            wire.answers(answer)
            with pytest.raises(errors.AmazonError) as failure:
                await get_order(client_of(attempts=2), seller)
            failures.append(failure.value)
    refused = telemetry.redact(None, "warning", next(line for line in logged if line["event"] == "amazon_call_failed"))
    assert {name: refused[name] for name in ("operation", "status", "amazon_code", "amazon_request_id")} == {
        "operation": "getOrder",
        "status": "403",
        "amazon_code": "InternalFailure",
        "amazon_request_id": "request-1",
    }
    told = json.dumps(logged, default=str) + repr(failures) + "".join(str(failure) for failure in failures)
    assert len(failures) == 4
    assert not any(secret in told for secret in secrets)


@pytest.mark.edge(22)
async def test_a_seller_of_another_region_is_called_at_that_regions_endpoint_with_its_application(
    http_client: Any, bucket_engine: Any, tokens: Any, wire: Any, app_id: str, seller: Seller
) -> None:
    client = AmazonClient(
        http_client,
        tokens,
        Limits(bucket_engine, "auth"),
        app_ids={"NA": app_id, "EU": f"{app_id}-eu"},
        endpoints={"NA": "http://127.0.0.1:9", "EU": wire.url},
    )
    wire.answers(wire.json({"payload": []}))
    european = Seller(seller.account_id, uuid.uuid4(), "A1SELLER", "EU")
    assert await sellers.get_marketplace_participations(client, european) == []


async def test_an_operation_of_another_service_is_a_mistake_of_ours(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    with pytest.raises(ValueError, match="no share"):
        await client_of("listings").call(GET_MARKETPLACE_PARTICIPATIONS, seller, into=dict)
    assert wire.arrived == []


def test_amazons_words_are_kept_as_a_column_can_hold_them() -> None:
    body = b'{"errors": [{"code": "In\\u0000put", "message": "odd\\u0000", "details": "%s"}]}' % (b"x" * 9000)
    fault = first_fault(body)
    assert (fault.code, fault.message, len(fault.details or "")) == ("In\ufffdput", "odd\ufffd", 2000)
