"""Whole worlds: filled at once, taken as bytes, put back, and started from a file."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner, local_amazon

US = "ATVPDKIKX0DER"
LONG_AGO = "2020-01-01T00:00:00Z"


def fill(amazon: LocalAmazon, listings: int, orders: int) -> Any:
    wish = {"selling_partner_id": "A1US", "marketplace_id": US, "listings": listings, "orders": orders}
    return amazon.dial("POST", "/sandbox/world/fill", wish)


def snapshot(amazon: LocalAmazon) -> bytes:
    answer = amazon.http.get(amazon.urls["dials"] + "/sandbox/world")
    assert answer.headers["content-type"] == "application/octet-stream"
    return answer.content


def put_back(amazon: LocalAmazon, content: bytes) -> httpx.Response:
    return amazon.http.put(amazon.urls["dials"] + "/sandbox/world", content=content)


@pytest.mark.row("E1")
def test_a_filled_world_has_listings_and_orders_of_every_age(amazon: LocalAmazon, seller: SellingPartner) -> None:
    assert fill(amazon, 200, 300) == {"listings": 200, "orders": 300}
    pages = [seller.search_orders(createdAfter=LONG_AGO, includedData="FULFILLMENT,PACKAGES").json()]
    token = pages[0]["pagination"]["nextToken"]
    pages.append(
        seller.search_orders(
            createdAfter=LONG_AGO, includedData="FULFILLMENT,PACKAGES,PROCEEDS", paginationToken=token
        ).json()
    )
    statuses = {order["fulfillment"]["fulfillmentStatus"] for page in pages for order in page["orders"]}
    assert "SHIPPED" in statuses
    assert seller.search_orders(createdAfter=LONG_AGO, fulfillmentStatuses="UNSHIPPED").json()["orders"]
    found = seller.search_listings(marketplaceIds=US, includedData="summaries,offers,fulfillmentAvailability").json()
    assert found["numberOfResults"] == 200
    with pytest.raises(RuntimeError, match="409"):
        fill(amazon, 1, 0)


@pytest.mark.row("E1")
def test_a_world_put_back_is_the_same_world_at_the_same_moment(amazon: LocalAmazon, seller: SellingPartner) -> None:
    fill(amazon, 30, 30)
    amazon.settings(listing_delay_s=60)
    patch = {
        "op": "merge",
        "path": "/attributes/fulfillment_availability",
        "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 777}],
    }
    seller.listings_item("PATCH", "SKU-000001", {"productType": "PRODUCT", "patches": [patch]}, marketplaceIds=US)
    amazon.dial("POST", "/sandbox/faults", {"operation": "getOrder", "status": 503, "count": 2})
    query = {"createdAfter": LONG_AGO, "maxResultsPerPage": "10"}
    token = seller.search_orders(**query).json()["pagination"]["nextToken"]
    before = amazon.dial("GET", "/sandbox/books/orders", selling_partner_id="A1US")
    taken = snapshot(amazon)

    amazon.advance(30 * 24 * 3600)
    amazon.dial("DELETE", "/sandbox/world")
    assert seller.participations().status_code == 403

    assert put_back(amazon, taken).json() == {"sellers": 1}
    assert amazon.dial("GET", "/sandbox/books/orders", selling_partner_id="A1US") == before
    clock = amazon.dial("GET", "/sandbox/clock")
    assert clock["effects_outstanding"] == 1
    assert len(seller.search_orders(**query, paginationToken=token).json()["orders"]) == 10
    assert seller.order(before["orders"][0]["amazon_order_id"]).status_code == 503

    def quantity() -> int:
        query = {"marketplaceIds": US, "includedData": "fulfillmentAvailability"}
        item = seller.listings_item("GET", "SKU-000001", **query).json()
        shown: int = item["fulfillmentAvailability"][0]["quantity"]
        return shown

    assert quantity() != 777
    amazon.advance(61)
    assert quantity() == 777


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("harm",)


@pytest.mark.parametrize("payload", [b"", b"PK\x03\x04", b"cut"])
def test_bytes_that_are_no_world_are_refused_and_change_nothing(
    amazon: LocalAmazon, seller: SellingPartner, payload: bytes
) -> None:
    content = snapshot(amazon)[:-40] if payload == b"cut" else payload
    answer = put_back(amazon, content)
    assert answer.status_code == 400
    assert "world" in answer.json()["error"]
    assert seller.participations().status_code == 200


def test_a_snapshot_can_make_nothing_but_data(amazon: LocalAmazon, seller: SellingPartner) -> None:
    mark = snapshot(amazon).split(b"\n")[0] + b"\n"
    answer = put_back(amazon, mark + pickle.dumps((b"", {"sellers": _Evil()})))
    assert answer.status_code == 400
    assert "no place in a world" in answer.json()["error"]
    assert seller.participations().status_code == 200


def test_a_file_of_dials_or_a_snapshot_is_the_world_it_starts_with(tmp_path: Path) -> None:
    seller = {"selling_partner_id": "A1", "region": "NA", "name": "One", "marketplaces": [US]}
    order = {"lines": [{"sku": "S", "quantity": 1, "unit_price": 3}], "amazon_order_id": "111-1111111-1111111"}
    turns = [
        {"dial": "POST /sandbox/sellers", "body": seller},
        {"dial": "POST /sandbox/orders", "body": {"selling_partner_id": "A1", "marketplace_id": US, "orders": [order]}},
        {"dial": "POST /sandbox/orders/111-1111111-1111111/cancel"},
    ]
    written, taken = tmp_path / "world.json", tmp_path / "world.snapshot"
    written.write_text(json.dumps(turns))
    with local_amazon("--world", str(written)) as urls:
        books = httpx.get(urls["dials"] + "/sandbox/books/orders", params={"selling_partner_id": "A1"}).json()
        assert books["orders"][0]["status"] == "CANCELLED"
        taken.write_bytes(httpx.get(urls["dials"] + "/sandbox/world").content)
    with local_amazon("--world", str(taken)) as urls:
        again = httpx.get(urls["dials"] + "/sandbox/books/orders", params={"selling_partner_id": "A1"}).json()
    assert again == books


@pytest.mark.parametrize(
    ("content", "hint"),
    [("{", "list of dials"), ('[{"dial": "POST /sandbox/sellers", "body": {}}]', "entry 0"), ('[{"dial": "X"}]', "X")],
)
def test_a_wrong_file_is_said_to_be_wrong(tmp_path: Path, content: str, hint: str) -> None:
    file = tmp_path / "world.json"
    file.write_text(content)
    command = [sys.executable, "-m", "amazon_sandbox", "--world", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode != 0
    assert hint in ended.stderr
