"""What an order takes from the stock it is sold from, and what a cancelled one gives back."""

from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner

US = "ATVPDKIKX0DER"


def stocked(seller: SellingPartner, default: int, warehouse: int) -> None:
    listing = {"sku": "S", "price": 10, "quantity": default}
    seller.amazon.dial(
        "POST", "/sandbox/listings", {"selling_partner_id": "A1US", "marketplace_id": US, "listings": [listing]}
    )
    item = {"sellerSku": "S", "marketplaceId": US, "productName": "Product S"}
    assert seller.call("POST", "/fba/inventory/v1/items", item).status_code == 200
    seller.amazon.http.post(
        seller.amazon.urls["na"] + "/fba/inventory/v1/items/inventory",
        json={"inventoryItems": [{"sellerSku": "S", "marketplaceId": US, "quantity": warehouse}]},
        headers={"x-amz-access-token": seller.access_token, "x-amzn-idempotency-token": "once"},
    ).raise_for_status()


def place(seller: SellingPartner, **order: Any) -> str:
    wish = {"lines": [{"sku": "S", "quantity": 10}], "status": "PENDING", **order}
    body = {"selling_partner_id": "A1US", "marketplace_id": US, "orders": [wish]}
    order_id: str = seller.amazon.dial("POST", "/sandbox/orders", body)["orders"][0]["amazon_order_id"]
    return order_id


def stock(seller: SellingPartner) -> tuple[int, int]:
    """DEFAULT, and Amazon's warehouse."""
    query = {"marketplaceIds": US, "includedData": "fulfillmentAvailability"}
    (availability,) = seller.listings_item("GET", "S", **query).json()["fulfillmentAvailability"]
    where = {"granularityType": "Marketplace", "granularityId": US, "marketplaceIds": US}
    payload = seller.call("GET", "/fba/inventory/v1/summaries", **where).json()["payload"]
    return availability["quantity"], payload["inventorySummaries"][0]["totalQuantity"]


@pytest.mark.parametrize(
    ("by", "while_pending"), [("MERCHANT", (0, 4)), ("AMAZON", (3, 0))], ids=["merchant", "amazon"]
)
def test_a_cancelled_pending_order_gives_back_what_it_took_where_it_took_it(
    amazon: LocalAmazon, seller: SellingPartner, by: str, while_pending: tuple[int, int]
) -> None:
    stocked(seller, 3, 4)
    order_id = place(seller, fulfilled_by=by)
    assert stock(seller) == while_pending
    amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel")
    assert stock(seller) == (3, 4)


def test_what_an_order_took_travels_in_a_snapshot(amazon: LocalAmazon, seller: SellingPartner) -> None:
    stocked(seller, 3, 4)
    order_id = place(seller)
    world = amazon.http.get(amazon.urls["dials"] + "/sandbox/world").content
    amazon.dial("DELETE", "/sandbox/world")
    amazon.http.put(amazon.urls["dials"] + "/sandbox/world", content=world).raise_for_status()
    amazon.dial("POST", f"/sandbox/orders/{order_id}/cancel")
    assert stock(seller) == (3, 4)
