"""Reading orders whatever Amazon puts into them, and confirming shipments in the form Amazon accepts."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.amazon import errors, orders
from common.amazon.access import Seller
from common.amazon.client import AmazonClient

ClientOf = Callable[..., AmazonClient]
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def order(order_id: str = "701-0000001-0000001", **changes: Any) -> dict[str, Any]:
    """An order with all that we read, as Amazon sends it."""
    money = {"amount": "19.99", "currencyCode": "USD"}
    return {
        "orderId": order_id,
        "orderAliases": [{"aliasId": "MINE-1", "aliasType": "SELLER_ORDER_ID"}],
        "createdTime": "2026-08-01T10:00:00Z",
        "lastUpdatedTime": "2026-08-01T10:05:00.123Z",
        "programs": ["PRIME", "SOMETHING_NEW"],
        "associatedOrders": [{"orderId": "701-0000001-0000000", "associationType": "REPLACEMENT_ORIGINAL_ID"}],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "ATVPDKIKX0DER", "marketplaceName": "Amazon.com"},
        "buyer": {"buyerName": "Jane Canary", "buyerEmail": "canary@marketplace.amazon.com"},
        "recipient": {
            "deliveryAddress": {
                "name": "Jane Canary",
                "addressLine1": "1 Canary Row",
                "city": "Monterey",
                "stateOrRegion": "CA",
                "postalCode": "93940",
                "countryCode": "US",
                "extendedFields": {"streetName": "Canary"},
            },
            "deliveryPreference": {"addressInstruction": "Canary cage"},
        },
        "proceeds": {
            "grandTotal": money,
            "breakdowns": [{"type": "DELIVERY_TIP", "status": "ACTIVE", "subtotal": money}],
        },
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {"latestDateTime": "2026-08-04T06:59:59Z"},
        },
        "orderItems": [
            {
                "orderItemId": "1",
                "quantityOrdered": 3,
                "product": {"asin": "B0", "sellerSku": "A/B", "title": "T", "price": {"unitPrice": money}},
                "proceeds": {
                    "breakdowns": [
                        {"type": "TAX", "subtotal": money, "detailedBreakdowns": [{"subtype": "ITEM", "value": money}]}
                    ]
                },
                "cancellation": {"cancellationRequest": {"requester": "BUYER", "cancelReason": "NO_LONGER_NEEDED"}},
                "fulfillment": {
                    "quantityFulfilled": 1,
                    "quantityUnfulfilled": 2,
                    "packing": {"giftOption": {"giftMessage": "canary", "giftWrapLevel": "X"}},
                },
            }
        ],
        "packages": [
            {
                "packageReferenceId": "1",
                "carrier": "UPS",
                "trackingNumber": "1Z",
                "shipTime": "2026-08-02T10:00:00Z",
                "packageStatus": {"status": "SHIPPED"},
                "packageItems": [{"orderItemId": "1", "quantity": 1}],
            }
        ],
        "aNewField": {"nobody": ["knows"]},
    } | changes


async def search(client_of: ClientOf, seller: Seller, wire: Any, *given_orders: Any, **page: Any) -> orders.OrdersPage:
    wire.answers(wire.json({"orders": given_orders} | page))
    return await orders.search_orders(client_of(), seller, last_updated_after=NOON)


@pytest.mark.edge(28)
@pytest.mark.fact("8.2.2")
async def test_a_page_is_read_with_all_our_services_need(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    page = await search(
        client_of, seller, wire, order(), pagination={"nextToken": "t/2"}, lastUpdatedBefore="2026-08-01T12:00:00Z"
    )
    (read,) = page.orders
    item = read.order_items[0]
    assert (page.next_token, page.last_updated_before, page.malformed) == ("t/2", NOON, ())
    assert read.fulfillment is not None
    assert read.fulfillment.fulfillment_status == "UNSHIPPED"
    assert read.programs == ("PRIME", "SOMETHING_NEW")
    assert read.order_aliases[0].alias_type == "SELLER_ORDER_ID"
    assert (item.quantity_ordered, item.product.seller_sku) == (3, "A/B")
    assert item.product.price is not None
    assert item.product.price.unit_price is not None
    assert item.product.price.unit_price.amount == Decimal("19.99")
    assert item.proceeds is not None
    assert item.proceeds.breakdowns[0].detailed_breakdowns[0].subtype == "ITEM"
    assert item.cancellation is not None
    assert item.cancellation.cancellation_request is not None
    assert read.packages[0].package_items[0].quantity == 1
    assert read.last_updated_time == datetime(2026, 8, 1, 10, 5, 0, 123000, tzinfo=UTC)


@pytest.mark.edge(28)
@pytest.mark.fact("8.2.3")
async def test_an_order_may_lack_all_that_is_not_required(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    bare = {name: order()[name] for name in ("orderId", "createdTime", "lastUpdatedTime", "orderItems")}
    page = await search(client_of, seller, wire, bare | {"salesChannel": {"channelName": "AMAZON"}})
    (read,) = page.orders
    assert (read.fulfillment, read.recipient, read.buyer, read.packages) == (None, None, None, ())
    assert (page.next_token, page.last_updated_before) == (None, None)


@pytest.mark.fact("8.2.1")
async def test_a_search_asks_for_the_status_and_sends_lists_times_and_token(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.json({"orders": []}))
    await orders.search_orders(
        client_of(),
        seller,
        last_updated_after=NOON.astimezone(timezone(timedelta(hours=2))),
        marketplace_ids=["ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"],
        fulfillment_statuses=["UNSHIPPED", "PENDING"],
        fulfilled_by=["MERCHANT"],
        pagination_token="a+b/c==",
    )
    path, _, query = wire.arrived[0].target.partition("?")
    assert path == "/orders/2026-01-01/orders"
    assert set(query.split("&")) == {
        "lastUpdatedAfter=2026-08-01T12%3A00%3A00.000Z",
        "marketplaceIds=ATVPDKIKX0DER%2CA2EUQ1WTGCTBG2",
        "fulfillmentStatuses=UNSHIPPED%2CPENDING",
        "fulfilledBy=MERCHANT",
        "includedData=BUYER%2CRECIPIENT%2CPROCEEDS%2CPROMOTION%2CCANCELLATION%2CFULFILLMENT%2CPACKAGES",
        "maxResultsPerPage=100",
        "paginationToken=a%2Bb%2Fc%3D%3D",
    }


MALFORMED: dict[str, Any] = {
    "no lines": order() | {"orderItems": None},
    "a status that is no text": order(fulfillment={"fulfillmentStatus": 7}),
    "a time without a zone": order(createdTime="2026-08-01T10:00:00"),
    "a time that is none": order(createdTime="yesterday"),
    "an absurd quantity": order(orderItems=[{"orderItemId": "1", "quantityOrdered": 10**12, "product": {}}]),
    "a negative quantity": order(orderItems=[{"orderItemId": "1", "quantityOrdered": -1, "product": {}}]),
    "an amount that is no number": order(proceeds={"grandTotal": {"amount": "NaN", "currencyCode": "USD"}}),
    "an amount beyond all bounds": order(proceeds={"grandTotal": {"amount": "1e999999", "currencyCode": "USD"}}),
    "not an object": [1, 2],
    "null": None,
}


@pytest.mark.fault("F13")
@pytest.mark.parametrize("bad", MALFORMED.values(), ids=MALFORMED.keys())
async def test_an_order_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    client_of: ClientOf, seller: Seller, wire: Any, bad: Any
) -> None:
    page = await search(client_of, seller, wire, order("before"), bad, order("after"))
    assert [read.order_id for read in page.orders] == ["before", "after"]
    (aside,) = page.malformed
    assert aside.order_id == (bad["orderId"] if isinstance(bad, dict) else None)
    assert json.loads(aside.raw) == bad
    assert aside.reason
    assert "canary" not in (repr(aside) + aside.reason).lower()


@pytest.mark.fault("F13")
async def test_an_order_with_broken_text_is_set_aside(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    broken = json.dumps(order("bad")).encode().replace(b"Monterey", b"Mont\xffrey")
    good = json.dumps(order("good")).encode()
    wire.answers(wire.raw(b'{"orders": [' + broken + b", " + good + b"]}"))
    page = await orders.search_orders(client_of(), seller, last_updated_after=NOON)
    assert [read.order_id for read in page.orders] == ["good"]
    assert len(page.malformed) == 1


def with_item(**changes: Any) -> dict[str, Any]:
    return order(orderItems=[order()["orderItems"][0] | changes])


def with_total(amount: Any, currency: str = "USD") -> dict[str, Any]:
    return order(proceeds={"grandTotal": {"amount": amount, "currencyCode": currency}})


@pytest.mark.edge(32)
@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (with_item(product={"title": "Mug\x00"}), "Text with U+0000 - at `$.orderItems[0].product.title`"),
        (
            order(recipient={"deliveryAddress": {"city": "\x00"}}),
            "Text with U+0000 - at `$.recipient.deliveryAddress.city`",
        ),
        (with_total("123456789012345.00"), "no amount of money - at `$.proceeds.grandTotal`"),
        (with_total("99999999999999.999"), "no amount of money - at `$.proceeds.grandTotal`"),
        (with_total("NaN"), "no amount of money - at `$.proceeds.grandTotal`"),
        (with_total("1e999999999"), "no amount of money - at `$.proceeds.grandTotal`"),
        (with_total("-1e999999999"), "no amount of money - at `$.proceeds.grandTotal`"),
        (with_total("1.00", "BUX"), "no currency of ISO 4217 - at `$.proceeds.grandTotal`"),
        (with_total("1.00", "usd"), "no currency of ISO 4217 - at `$.proceeds.grandTotal`"),
        (with_item(orderItemId=""), "Expected `str` of length >= 1 - at `$.orderItems[0].orderItemId`"),
        (with_item(orderItemId="1" * 101), "Expected `str` of length <= 100 - at `$.orderItems[0].orderItemId`"),
        (order(orderItems=order()["orderItems"] * 2), "two of the order's items have one orderItemId"),
        (order(createdTime="0001-01-01T00:00:00+14:00"), "its year is not between 2000 and 2200"),
        (
            order(
                fulfillment={
                    "fulfillmentStatus": "UNSHIPPED",
                    "shipByWindow": {"latestDateTime": "9999-12-31T23:59:59-01:00"},
                }
            ),
            "its year is not between 2000 and 2200 - at `$.fulfillment.shipByWindow`",
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_what_a_later_layer_could_not_keep_is_set_aside_by_the_reader_with_place_and_rule(
    client_of: ClientOf, seller: Seller, wire: Any, odd: dict[str, Any], reason: str, place: int
) -> None:
    page = [order("good-1"), order("good-2")]
    page.insert(place, odd | {"orderId": "odd"})
    read = await search(client_of, seller, wire, *page)
    assert [one.order_id for one in read.orders] == ["good-1", "good-2"]
    (aside,) = read.malformed
    assert aside.order_id == "odd"
    assert reason in aside.reason
    assert b"odd" in aside.raw


async def test_a_text_that_only_speaks_of_u0000_is_read(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    page = await search(client_of, seller, wire, with_item(product={"title": "the escape \\u0000"}))
    assert (len(page.orders), page.malformed) == (1, ())


@pytest.mark.edge(32)
@pytest.mark.parametrize("odd", [b"UOSS", b'"\\ud800"', b'"27" monitor"', b'"tab\there"'])
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_page_that_is_not_json_at_one_place_still_names_its_orders_and_the_next_page(
    client_of: ClientOf, seller: Seller, wire: Any, odd: bytes, place: int
) -> None:
    told = [order(f"701-{number}") for number in range(3)]
    told[place]["buyer"] = {"buyerName": "HERE"}
    page = {"orders": told, "pagination": {"nextToken": "t/\\2"}, "lastUpdatedBefore": "2026-08-01T12:00:00Z"}
    wire.answers(wire.raw(json.dumps(page).encode().replace(b'"HERE"', odd)))
    with pytest.raises(orders.UnreadablePage) as unreadable:
        await orders.search_orders(client_of(), seller, last_updated_after=NOON)
    found = unreadable.value
    assert set(found.order_ids) >= {"701-0", "701-1", "701-2"}
    assert (found.whole, found.all_named) == (True, True)
    assert (found.next_token, found.last_updated_before) == ("t/\\2", NOON)
    assert "701" not in str(found)


@pytest.mark.fault("F11")
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9, 0.99])
async def test_a_page_that_is_cut_off_is_known_as_such(
    client_of: ClientOf, seller: Seller, wire: Any, cut: float
) -> None:
    body = json.dumps({"orders": [order(), order("2")], "pagination": {"nextToken": "t"}}).encode()
    wire.answers(wire.raw(body[: int(len(body) * cut)]))
    with pytest.raises(orders.UnreadablePage) as unreadable:
        await orders.search_orders(client_of(), seller, last_updated_after=NOON)
    assert not unreadable.value.whole


async def test_one_order_that_cannot_be_read_is_told_with_its_body_but_not_in_the_errors_text(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    for body in (
        b'{"order": {"orderId": "1", "buyer": UOSS}}',
        json.dumps({"order": with_total("NaN")}).encode(),
        b"{}",
    ):
        wire.answers(wire.raw(body))
        with pytest.raises(orders.UnreadableOrder) as unreadable:
            await orders.get_order(client_of(), seller, "1")
        assert (unreadable.value.order.order_id, unreadable.value.order.raw) == ("1", body)
        assert "canary" not in (str(unreadable.value) + repr(unreadable.value.order)).lower()


@pytest.mark.fault("F13")
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(), edits=st.integers(1, 8))
def test_no_mutation_of_a_body_raises_or_loses_an_order_unseen(seed: int, edits: int) -> None:
    body = bytearray(json.dumps(order()).encode())
    source = random.Random(seed)
    for _ in range(edits):
        body[source.randrange(len(body))] = source.choice(b'\x00\x7f\xff"{}[],:0e-\\n')
    read, malformed = orders.read_orders([bytes(body)])
    assert len(read) + len(malformed) == 1


@pytest.mark.fault("F11")
@pytest.mark.parametrize("body", [b"{}", b'{"orders": null}', b'{"payload": {"orders": []}}', b'{"orders": {}}'])
async def test_a_page_without_its_list_of_orders_is_not_an_empty_page(
    client_of: ClientOf, seller: Seller, wire: Any, body: bytes
) -> None:
    wire.answers(wire.raw(body))
    with pytest.raises(errors.MalformedAnswer):
        await orders.search_orders(client_of(), seller, last_updated_after=NOON)


@pytest.mark.edge(9)
async def test_a_line_without_a_price_or_with_price_zero_is_read_as_it_is(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    free = {
        "orderItemId": "1",
        "quantityOrdered": 1,
        "product": {"price": {"unitPrice": {"amount": "0", "currencyCode": "JPY"}}},
    }
    absent = {"orderItemId": "2", "quantityOrdered": 1, "product": {}}
    (read,) = (await search(client_of, seller, wire, order(orderItems=[free, absent]))).orders
    zero, nothing = (item.product.price for item in read.order_items)
    assert zero is not None
    assert zero.unit_price is not None
    assert (zero.unit_price.amount, zero.unit_price.currency_code) == (Decimal(0), "JPY")
    assert nothing is None


@pytest.mark.row("C9")
async def test_no_repr_of_an_order_shows_a_buyer(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    (read,) = (await search(client_of, seller, wire, order())).orders
    assert read.recipient is not None
    assert read.recipient.delivery_address is not None
    assert read.recipient.delivery_address.address_line1 == "1 Canary Row"
    assert "canary" not in repr(read).lower()


async def test_one_order_is_read_by_its_id(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.json({"order": order("701-1-1")}))
    assert (await orders.get_order(client_of(), seller, "701-1-1")).order_id == "701-1-1"
    assert wire.arrived[0].target.startswith("/orders/2026-01-01/orders/701-1-1?includedData=BUYER%2C")


def package(**changes: Any) -> orders.PackageDetail:
    values: dict[str, Any] = {
        "package_reference_id": "17",
        "carrier_code": "UPS",
        "tracking_number": "1Z",
        "ship_date": NOON.replace(microsecond=987654).astimezone(timezone(timedelta(hours=-7))),
        "order_items": (orders.ConfirmShipmentOrderItem(order_item_id="1", quantity=2),),
    }
    return orders.PackageDetail(**(values | changes))


@pytest.mark.edge(12)
@pytest.mark.fact("8.4.1")
async def test_a_shipment_is_confirmed_with_a_quoted_reference_and_no_null_fields(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.raw(b"", 204))
    await orders.confirm_shipment(client_of(), seller, "701-1-1", package(), marketplace_id="ATVPDKIKX0DER")
    (request,) = wire.arrived
    assert (request.method, request.target) == ("POST", "/orders/v0/orders/701-1-1/shipmentConfirmation")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "marketplaceId": "ATVPDKIKX0DER",
        "packageDetail": {
            "packageReferenceId": "17",
            "carrierCode": "UPS",
            "trackingNumber": "1Z",
            "shipDate": "2026-08-01T12:00:00Z",
            "orderItems": [{"orderItemId": "1", "quantity": 2}],
        },
    }


@pytest.mark.fact("8.4.1")
@pytest.mark.parametrize("reference", ["", "0", "A1", "-1", "１"])
async def test_a_reference_that_is_no_positive_number_is_refused_before_sending(
    client_of: ClientOf, seller: Seller, wire: Any, reference: str
) -> None:
    bad = package(package_reference_id=reference)
    with pytest.raises(ValueError, match="packageReferenceId"):
        await orders.confirm_shipment(client_of(), seller, "701-1-1", bad, marketplace_id="ATVPDKIKX0DER")
    assert wire.arrived == []


@pytest.mark.edge(14)
async def test_amazons_refusal_of_a_shipment_keeps_its_words(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.fault(400, "PackageToUpdateNotFound", "Unable to find package to update for order"))
    with pytest.raises(errors.InvalidInput) as refused:
        await orders.confirm_shipment(client_of(), seller, "701-1-1", package(), marketplace_id="ATVPDKIKX0DER")
    assert refused.value.code == "PackageToUpdateNotFound"
    assert refused.value.message.startswith("Unable to find")


@pytest.mark.fault("F12")
async def test_a_shipment_whose_answer_was_lost_is_confirmed_again_with_the_same_content(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    wire.answers(wire.SILENT, wire.raw(b"", 204))
    await orders.confirm_shipment(client_of(), seller, "701-1-1", package(), marketplace_id="ATVPDKIKX0DER")
    first, second = wire.arrived
    assert first.body == second.body
