"""Reading and changing listings: nothing of a sibling is lost, and no digit of a price."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from common.amazon import errors, listings
from common.amazon.access import Seller
from common.amazon.client import AmazonClient, encode
from common.amazon.listing import Item, offer_of, price_of, quantity_of, summary_of
from common.amazon.sellers import get_marketplace_participations

ClientOf = Callable[..., AmazonClient]
US, CA = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"
SUBMISSION = {"sku": "A", "status": "ACCEPTED", "submissionId": "s", "issues": []}
OFFER = {
    "marketplace_id": US,
    "audience": "ALL",
    "currency": "USD",
    "our_price": [{"schedule": [{"value_with_tax": 19.99, "start_at": "2026-01-01T00:00:00Z"}]}],
    "minimum_seller_allowed_price": [{"schedule": [{"value_with_tax": 15.00}]}],
    "discounted_price": [{"schedule": [{"value_with_tax": 17.99, "end_at": "2026-12-24T00:00:00Z"}]}],
}
ITEM = {
    "sku": "A/B",
    "summaries": [{"marketplaceId": US, "productType": "LUGGAGE", "status": [], "itemName": "Bag"}],
    "attributes": {
        "purchasable_offer": [
            {"marketplace_id": US, "audience": "B2B", "our_price": [{"schedule": [{"value_with_tax": 18}]}]},
            {"marketplace_id": CA, "our_price": [{"schedule": [{"value_with_tax": 29.0}]}]},
            OFFER,
        ]
    },
    "issues": [{"code": "18027", "message": "Main image", "severity": "WARNING", "newField": 1}],
    "offers": [{"marketplaceId": US, "offerType": "B2C", "price": {"currencyCode": "USD", "amount": "30.0"}}],
    "fulfillmentAvailability": [
        {"fulfillmentChannelCode": "AMAZON_NA"},
        {"fulfillmentChannelCode": "DEFAULT", "quantity": 4},
    ],
}


async def read(client_of: ClientOf, seller: Seller, wire: Any, item: Any = None) -> Item:
    wire.answers(wire.json(ITEM if item is None else item))
    return await listings.get_listings_item(client_of("listings"), seller, "A/B", marketplace_id=US)


async def test_an_items_quantity_offer_price_and_summary_are_read(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    item = await read(client_of, seller, wire)
    assert (quantity_of(item), quantity_of(item, "AMAZON_NA"), quantity_of(item, "AMAZON_EU")) == (4, None, None)
    offers = [offer_of(item, US), offer_of(item, US, "B2B"), offer_of(item, CA), offer_of(item, "A1F83G8C2ARO7P")]
    assert [price_of(offer) if offer else None for offer in offers] == [
        Decimal("19.99"),
        Decimal(18),
        Decimal("29.0"),
        None,
    ]
    summary = summary_of(item, US)
    assert summary is not None
    assert (summary.product_type, summary.status, summary.asin) == ("LUGGAGE", (), None)
    assert item.offers[0].price.amount == Decimal("30.0")


@pytest.mark.parametrize(
    "amount", ["NaN", "-Infinity", "1e999999999", "9" * 16, "free", "", None, True, [], {"value": 1}], ids=repr
)
async def test_a_price_that_is_no_money_is_read_as_none(
    client_of: ClientOf, seller: Seller, wire: Any, amount: Any
) -> None:
    odd = OFFER | {"our_price": [{"schedule": [{"value_with_tax": amount}]}]}
    item = await read(client_of, seller, wire, {"sku": "A/B", "attributes": {"purchasable_offer": [odd]}})
    offer = offer_of(item, US)
    assert offer is not None
    assert (offer["currency"], price_of(offer)) == ("USD", None)


@pytest.mark.parametrize("odd", [None, "an offer", 7, [OFFER]], ids=["null", "text", "number", "list"])
async def test_what_is_no_offer_hides_none_of_the_others(
    client_of: ClientOf, seller: Seller, wire: Any, odd: Any
) -> None:
    for offers in ([odd, OFFER], [OFFER, odd], [odd, OFFER, odd]):
        item = await read(client_of, seller, wire, {"sku": "A/B", "attributes": {"purchasable_offer": offers}})
        offer = offer_of(item, US)
        assert offer is not None
        assert price_of(offer) == Decimal("19.99")
    for alone in ([odd], {"offer": odd}, odd if odd != [OFFER] else "an offer"):
        item = await read(client_of, seller, wire, {"sku": "A/B", "attributes": {"purchasable_offer": alone}})
        assert offer_of(item, US) is None


@pytest.mark.edge(28)
async def test_an_item_may_come_with_its_sku_alone(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    item = await read(client_of, seller, wire, {"sku": "A/B"})
    assert (quantity_of(item), offer_of(item, US), summary_of(item, US)) == (None, None, None)


@pytest.mark.edge(19)
@pytest.mark.row("B18")
@pytest.mark.fact("5.4.5")
def test_a_quantity_patch_merges_with_its_selector() -> None:
    patch = listings.quantity_patch(0)
    assert (patch.op, patch.path) == ("merge", "/attributes/fulfillment_availability")
    assert patch.value == [{"fulfillment_channel_code": "DEFAULT", "quantity": 0}]


@pytest.mark.fact("5.4.4")
def test_a_delete_patch_carries_the_selector_of_what_it_deletes() -> None:
    patch = listings.delete_fulfillment_patch("DEFAULT")
    assert (patch.op, patch.value) == ("delete", [{"fulfillment_channel_code": "DEFAULT"}])


@pytest.mark.edge(19)
@pytest.mark.row("B18")
@pytest.mark.fact("5.4.2")
async def test_a_price_patch_keeps_every_sibling_of_the_offer_read_before(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    offer = offer_of(await read(client_of, seller, wire), US)
    assert offer is not None
    patch = listings.price_patch(offer, Decimal("21.10"))
    expected = json.loads(json.dumps(OFFER))
    expected["our_price"][0]["schedule"][0]["value_with_tax"] = 21.10
    assert patch.op == "replace"
    assert json.loads(encode(patch.value)) == [expected]
    assert price_of(offer) == Decimal("19.99")


def test_a_first_price_needs_only_the_selectors() -> None:
    patch = listings.price_patch({"marketplace_id": US, "currency": "USD", "audience": "ALL"}, Decimal(5))
    assert patch.value[0]["our_price"] == [{"schedule": [{"value_with_tax": Decimal(5)}]}]


@pytest.mark.fact("5.3.4")
@pytest.mark.parametrize("amount", ["19.99", "0.1", "1234567890.123", "100", "0.30", "1.1"])
def test_an_amount_is_a_json_number_with_exactly_its_digits(amount: str) -> None:
    assert encode({"value_with_tax": Decimal(amount)}) == b'{"value_with_tax":%s}' % amount.encode()


def test_amounts_that_are_only_passed_through_keep_their_digits() -> None:
    body = b'{"sku":"A","attributes":{"list_price":[{"value":0.1},{"value":24.90},{"value":123456789.123456789}]}}'
    item = msgspec.json.Decoder(Item, float_hook=Decimal).decode(body)
    assert b'{"value":0.1},{"value":24.90},{"value":123456789.123456789}' in encode(item.attributes)


@pytest.mark.fact("5.2")
async def test_a_patch_goes_out_as_amazon_wants_it(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.json(SUBMISSION))
    submission = await listings.patch_listings_item(
        client_of("listings"),
        seller,
        "A",
        marketplace_id=US,
        product_type="PRODUCT",
        patches=[listings.quantity_patch(5, lead_time_to_ship_max_days=2)],
        mode="VALIDATION_PREVIEW",
    )
    (request,) = wire.arrived
    assert submission.status == "ACCEPTED"
    assert request.method == "PATCH"
    assert request.target.partition("?")[2] == (
        f"marketplaceIds={US}&mode=VALIDATION_PREVIEW&includedData=issues%2Cidentifiers"
    )
    assert json.loads(request.body) == {
        "productType": "PRODUCT",
        "patches": [
            {
                "op": "merge",
                "path": "/attributes/fulfillment_availability",
                "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 5, "lead_time_to_ship_max_days": 2}],
            }
        ],
    }


async def test_a_put_and_a_delete_name_one_marketplace(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.json(SUBMISSION))
    client = client_of("listings")
    await listings.put_listings_item(
        client,
        seller,
        "A",
        marketplace_id=US,
        product_type="PRODUCT",
        requirements="LISTING_OFFER_ONLY",
        attributes={"purchasable_offer": [OFFER]},
    )
    await listings.delete_listings_item(client, seller, "A", marketplace_id=US)
    put, delete = wire.arrived
    assert (put.method, json.loads(put.body)["requirements"]) == ("PUT", "LISTING_OFFER_ONLY")
    assert (delete.method, delete.body, delete.target.partition("?")[2]) == ("DELETE", b"", f"marketplaceIds={US}")


@pytest.mark.fact("5.2")
async def test_an_answer_of_200_that_says_invalid_comes_with_its_issues(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    issue = {"code": "90220", "message": "required", "severity": "ERROR", "attributeNames": ["brand"]}
    wire.answers(wire.json(SUBMISSION | {"status": "INVALID", "issues": [issue]}))
    submission = await listings.delete_listings_item(client_of("listings"), seller, "A", marketplace_id=US)
    assert (submission.status, submission.issues[0].attribute_names) == ("INVALID", ("brand",))


@pytest.mark.row("B6")
async def test_an_item_amazon_does_not_have_is_not_found(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    wire.answers(wire.fault(404, "NOT_FOUND"))
    with pytest.raises(errors.AmazonNotFound):
        await listings.get_listings_item(client_of("listings"), seller, "A", marketplace_id=US)


@pytest.mark.fact("5.1.3")
async def test_a_search_by_sku_and_one_by_date_are_paged(client_of: ClientOf, seller: Seller, wire: Any) -> None:
    client = client_of("listings")
    wire.answers(wire.json({"numberOfResults": 2, "items": [ITEM], "pagination": {"nextToken": "n"}}))
    page = await listings.search_listings_items(client, seller, marketplace_id=US, skus=["A/B", "C D"])
    assert ([item.sku for item in page.items], page.number_of_results, page.next_token) == (["A/B"], 2, "n")
    wire.answers(wire.json({"numberOfResults": 2, "items": []}))
    after = datetime(2026, 1, 1, tzinfo=UTC)
    page = await listings.search_listings_items(
        client, seller, marketplace_id=US, created_after=after, sort_by="createdDate", sort_order="ASC", page_token="n"
    )
    assert page.next_token is None
    by_sku, by_date = (request.target.partition("?")[2] for request in wire.arrived)
    assert "identifiers=A%2FB%2CC%20D&identifiersType=SKU" in by_sku
    assert "createdAfter=2026-01-01T00%3A00%3A00.000Z&sortBy=createdDate&sortOrder=ASC&pageToken=n" in by_date


@pytest.mark.fact("5.1.3")
@pytest.mark.parametrize("skus", [[str(number) for number in range(21)], ["A,B"]])
async def test_what_a_search_cannot_carry_is_refused_before_sending(
    client_of: ClientOf, seller: Seller, wire: Any, skus: list[str]
) -> None:
    with pytest.raises(ValueError, match="SKU"):
        await listings.search_listings_items(client_of("listings"), seller, marketplace_id=US, skus=skus)
    assert wire.arrived == []


async def test_participations_are_read_with_marketplaces_that_are_no_stores(
    client_of: ClientOf, seller: Seller, wire: Any
) -> None:
    store = {
        "marketplace": {"id": US, "name": "Amazon.com", "countryCode": "US", "domainName": "www.amazon.com"},
        "participation": {"isParticipating": True, "hasSuspendedListings": False},
        "storeName": "Shop",
    }
    other = {
        "marketplace": {"id": "A38D8NSA03LJTC"},
        "participation": {"isParticipating": False, "hasSuspendedListings": True},
    }
    wire.answers(wire.json({"payload": [store, other]}))
    first, second = await get_marketplace_participations(client_of("auth"), seller)
    assert (first.marketplace.id, first.participation.is_participating, first.store_name) == (US, True, "Shop")
    assert (second.marketplace.id, second.store_name) == ("A38D8NSA03LJTC", "")
