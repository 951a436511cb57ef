"""Packing slips over HTTP: what stands on one, who may have it, and when there is none."""

import io
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pypdf
import pytest
from structlog.testing import capture_logs

from common.contracts.compliance import SourceComplianceChanged
from common.contracts.connections import Address
from common.http import Response
from orders_service.routes.packing_slips import NotAcceptable, preferred
from orders_service.testing import RETURN_ADDRESS, Shop

RECIPIENT = {
    "name": "Canary Ada Łukasiewicz",
    "addressLine1": "7 Canary Row",
    "city": "Seattle",
    "stateOrRegion": "WA",
    "postalCode": "98101",
    "countryCode": "US",
    "phone": "+1 555 0100",
}


async def slip(shop: Shop, path: str, **headers: str) -> Response:
    return await shop.service.http.get(f"/v1/{path}", headers=shop.pii_headers | headers)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


async def imported(shop: Shop, **order: Any) -> Any:
    (amazon_order_id,) = await shop.place({"recipient": RECIPIENT} | order)
    await shop.get_orders()
    return await shop.order(amazon_order_id)


async def requested(shop: Shop, order: Any, *quantities: int, source_name: str = "Grey Wholesale") -> list[Any]:
    """The order's requests, one source for each quantity."""
    sources = [(uuid4(), quantity) for quantity in quantities]
    await shop.deliver(*[source(shop, source_id, source_name) for source_id, _ in sources])
    await shop.deliver(await shop.routed(order, *sources))
    items = (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    return [next(item for item in items if item["source_id"] == str(source_id)) for source_id, _ in sources]


def source(shop: Shop, source_id: UUID, name: str) -> SourceComplianceChanged:
    return SourceComplianceChanged(
        account_id=shop.account_id,
        source_id=source_id,
        source_name=name,
        compliant=True,
        attestation_version=1,
        changed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.row("D7")
@pytest.mark.row("C6")
@pytest.mark.fact("10.8")
async def test_a_requests_slip_names_the_seller_and_what_its_source_ships_and_never_the_source(shop: Shop) -> None:
    order = await imported(shop, lines=[{"sku": "MUG-1", "quantity": 5, "unit_price": 9.99}], gift_message="Enjoy it")
    first, second = await requested(shop, order, 3, 2)
    answer = await slip(shop, f"fulfillment-requests/{first['id']}/packing-slip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-language"] == "en-US"
    said = text_of(answer.content)
    bought = datetime.fromisoformat(order["purchased_at"])
    for expected in (
        *(
            "Packing slip",
            "Seller of record",
            "Shop Ltd",
            "Return address",
            "1 Warehouse Road",
            "Springfield, IL 62701",
        ),
        *(order["amazon_order_id"], str(bought.astimezone(ZoneInfo("America/Los_Angeles")).year), "MUG-1", "Enjoy it"),
        *("Ship to", "Canary Ada Łukasiewicz", "7 Canary Row", "Seattle, WA 98101", "United States"),
    ):
        assert expected in said
    assert RECIPIENT["phone"] not in said
    for hidden in ("Grey", "Wholesale", first["source_id"], "9.99"):
        assert hidden not in answer.content.decode("latin-1") + said
    pages = [(await slip(shop, f"fulfillment-requests/{one['id']}/packing-slip.html")).text for one in (first, second)]
    assert [re.findall(r'<td class="quantity">(\d+)</td>', page) for page in pages] == [["3"], ["2"]]
    assert "Grey" not in pages[0]


@pytest.mark.row("D7")
async def test_an_orders_slip_is_html_for_who_likes_that_better_and_loads_nothing(shop: Shop) -> None:
    order = await imported(shop, gift_message="<script>alert(1)</script>\nsecond line")
    path = f"orders/{order['id']}/packing-slip"
    page = await slip(shop, path, Accept="text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\nsecond line" in page.text
    assert not re.search(r"<script|src=|href=|url\(|@import", page.text)
    assert f"<strong>{order['amazon_order_id']}</strong>" in page.text
    assert (await slip(shop, path)).content == (await slip(shop, f"{path}.pdf", Accept="text/html")).content
    refused = await slip(shop, path, Accept="image/png")
    assert (refused.status_code, refused.json()["type"]) == (406, "/problems/not-acceptable")


@pytest.mark.row("D7")
@pytest.mark.row("C9")
async def test_who_asks_for_a_slip_needs_the_scope_of_buyers_data_and_is_recorded(shop: Shop) -> None:
    order = await imported(shop)
    (request,) = await requested(shop, order, 2)
    with capture_logs() as logs:
        for path in (f"orders/{order['id']}", f"fulfillment-requests/{request['id']}"):
            for kind in ("", ".pdf", ".html"):
                refused = await shop.request("GET", f"/v1/{path}/packing-slip{kind}")
                assert (refused.status_code, refused.json()["type"]) == (403, "/problems/missing-scope")
        assert await shop.sql("select 1 from recipient_access") == []
        await slip(shop, f"orders/{order['id']}/packing-slip")
        await slip(shop, f"fulfillment-requests/{request['id']}/packing-slip.html")
    read = await shop.sql("select order_id, subject from recipient_access")
    assert [(str(order_id), subject) for order_id, subject in read] == [(order["id"], "tester")] * 2
    assert "Canary" not in str(logs)


async def refusal(shop: Shop, path: str) -> tuple[int, str]:
    """Status and slug of a refusal, which says what to do and records no reading."""
    answer = await slip(shop, path)
    problem = answer.json()
    assert await shop.sql("select 1 from recipient_access") == []
    return answer.status_code, problem["type"].removeprefix("/problems/")


@pytest.mark.row("D7")
async def test_without_the_sellers_name_or_return_address_the_refusal_says_where_to_set_them(shop: Shop) -> None:
    order = await imported(shop)
    path = f"orders/{order['id']}/packing-slip"
    shop.return_address = None
    await shop.connect()
    assert await refusal(shop, path) == (409, "no-return-address")
    problem = (await slip(shop, path)).json()
    assert problem["channel_id"] == order["channel_id"]
    assert "PATCH /v1/channels/{id}" in problem["fix"]
    # A channel that was kept before seller-of-record data were.
    await shop.sql("update channel set seller_of_record = null")
    assert await refusal(shop, path) == (409, "no-seller-of-record")
    shop.return_address = RETURN_ADDRESS
    await shop.connect()
    assert (await slip(shop, path)).status_code == 200


@pytest.mark.row("D7")
@pytest.mark.parametrize("line", ["Grey Wholesale", "c/o GREY WHOLESALE, dock 4"])
async def test_a_return_address_that_names_the_source_is_refused(shop: Shop, line: str) -> None:
    order = await imported(shop)
    (request,) = await requested(shop, order, 2)
    shop.return_address = Address(
        name="Returns", line_1="1 Road", line_2=line, city="Town", postal_code="1", country_code="US"
    )
    await shop.connect()
    for path in (f"fulfillment-requests/{request['id']}", f"orders/{order['id']}"):
        assert await refusal(shop, f"{path}/packing-slip") == (409, "source-named")


@pytest.mark.row("D7")
async def test_a_source_is_looked_for_by_the_name_it_has_now(shop: Shop) -> None:
    order = await imported(shop)
    (request,) = await requested(shop, order, 2)
    path = f"fulfillment-requests/{request['id']}/packing-slip"
    assert (await slip(shop, path)).status_code == 200
    await shop.deliver(source(shop, UUID(request["source_id"]), RETURN_ADDRESS.line_1))
    assert (await slip(shop, path)).json()["type"] == "/problems/source-named"


@pytest.mark.row("D7")
async def test_a_source_that_bears_the_sellers_own_name_may_be_returned_to(shop: Shop) -> None:
    order = await imported(shop)
    (request,) = await requested(shop, order, 2, source_name="Shop Ltd")
    assert (await slip(shop, f"fulfillment-requests/{request['id']}/packing-slip")).status_code == 200


@pytest.mark.row("D7")
@pytest.mark.row("C10")
@pytest.mark.edge(1)
async def test_orders_that_the_merchant_does_not_ship_have_no_slip(shop: Shop) -> None:
    amazons = await imported(shop, fulfilled_by="AMAZON")
    pending = await imported(shop, status="PENDING")
    cancelled = await imported(shop)
    await shop.amazon.dial("POST", f"/sandbox/orders/{cancelled['amazon_order_id']}/cancel", {})
    await shop.get_orders()
    refused = [await refusal(shop, f"orders/{order['id']}/packing-slip") for order in (amazons, pending, cancelled)]
    assert refused == [(409, "fulfilled-by-amazon"), (409, "order-pending"), (409, "order-cancelled")]


@pytest.mark.row("D7")
async def test_a_request_that_was_refused_or_withdrawn_has_no_slip(shop: Shop) -> None:
    order = await imported(shop)
    (request,) = await requested(shop, order, 2)
    await shop.call("POST", f"/v1/fulfillment-requests/{request['id']}/refuse", {"resolution": "fill"})
    path = f"fulfillment-requests/{request['id']}/packing-slip"
    assert await refusal(shop, path) == (409, "fulfillment-request-not-shipping")


@pytest.mark.row("D7")
@pytest.mark.row("C9")
async def test_after_erasure_the_slip_is_gone(shop: Shop) -> None:
    order = await imported(shop)
    await shop.sql("update order_key set wrapped = null, destroyed_at = now()")
    await shop.sql("update orders set personal_data = null")
    assert await refusal(shop, f"orders/{order['id']}/packing-slip.html") == (410, "recipient-erased")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/pdf"),
        ("text/html", "text/html"),
        ("text/html;q=0.5, application/pdf;q=0.9", "application/pdf"),
        ("text/*, application/pdf;q=0", "text/html"),
        ("Text/HTML ; Q=1, */*;q=0.1", "text/html"),
        ("application/pdf;q=nonsense, text/html;q=0.2", "text/html"),
    ],
)
def test_the_client_chooses_by_what_it_accepts(accept: str, kind: str) -> None:
    assert preferred(accept) == kind


@pytest.mark.parametrize("accept", ["", "image/*", "text/html;q=0", "*/*;q=0", ";;,,"])
def test_nothing_that_is_accepted_is_a_problem(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        preferred(accept)


@pytest.mark.row("C4", "D7")
@pytest.mark.edge(48)
async def test_a_slip_never_prints_units_that_are_cancelled(shop: Shop) -> None:
    lines = [{"sku": "MUG-1", "quantity": 3, "unit_price": 9.99}, {"sku": "CUP-1", "quantity": 1, "unit_price": 1}]
    order = await imported(shop, lines=lines)
    await shop.deliver(
        await shop.routed(order, (uuid4(), 2)), await shop.routed(order, (uuid4(), 1), decision_version=2)
    )
    found = (await shop.call("GET", "/v1/fulfillment-requests"))["items"]
    newer, older = sorted(found, key=lambda request: -request["decision_version"])
    mug, cup = [line["order_item_id"] for line in order["lines"]]
    cancel = f"/sandbox/orders/{order['amazon_order_id']}/cancel-items"

    async def printed(path: str) -> list[str]:
        return re.findall(r'<td class="quantity">(\d+)</td>', (await slip(shop, f"{path}/packing-slip.html")).text)

    await shop.amazon.dial("POST", cancel, {"items": {cup: None, mug: 1}})
    await shop.get_orders()
    assert await refusal(shop, f"fulfillment-requests/{newer['id']}/packing-slip") == (409, "order-cancelled")
    both = [f"fulfillment-requests/{older['id']}", f"orders/{order['id']}"]
    assert [await printed(path) for path in both] == [["2"]] * 2
    await shop.amazon.dial("POST", cancel, {"items": {mug: 1}})
    await shop.get_orders()
    assert [await printed(path) for path in both] == [["1"]] * 2
