"""Every request that `common.amazon` sends, held against Amazon's published models: path, parameters, body."""

import contextlib
import importlib
import inspect
import json
import pkgutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from jsonschema import Draft4Validator, ValidationError  # type: ignore[import-untyped]

import common.amazon
from common.amazon import errors, listings, orders, sellers
from common.amazon.access import Seller
from common.amazon.client import AmazonClient
from common.amazon.operations import OPERATIONS, Operation

MODELS = next(
    (
        folder
        for parent in Path(__file__).resolve().parents
        if (folder := parent / "shared" / "sp-api" / "models").is_dir()
    ),
    None,
)
pytestmark = pytest.mark.skipif(MODELS is None, reason="Amazon's models are not beside this checkout")

US, CA = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"
THEN, LATER = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
PACKAGE = orders.PackageDetail(
    package_reference_id="17",
    carrier_code="Other",
    carrier_name="Pigeon Post",
    shipping_method="Ground",
    tracking_number="1Z 999",
    ship_date=THEN,
    order_items=(orders.ConfirmShipmentOrderItem("79039765272157", 2),),
)
OFFER = {"marketplace_id": US, "currency": "USD", "our_price": [{"schedule": [{"value_with_tax": Decimal("19.99")}]}]}

Send = Callable[[AmazonClient, Seller], Awaitable[Any]]

# Each public function of common.amazon that calls Amazon, with few arguments and with all of them.
REQUESTS: dict[str, list[Send]] = {
    "sellers.get_marketplace_participations": [sellers.get_marketplace_participations],
    "orders.search_orders": [
        lambda client, seller: orders.search_orders(client, seller, last_updated_after=THEN, included_data=()),
        lambda client, seller: orders.search_orders(
            client,
            seller,
            created_after=THEN,
            created_before=LATER,
            marketplace_ids=(US, CA),
            fulfillment_statuses=("UNSHIPPED", "PARTIALLY_SHIPPED"),
            fulfilled_by=("MERCHANT",),
            max_results_per_page=50,
            pagination_token="a+b/c==",
        ),
        lambda client, seller: orders.search_orders(client, seller, last_updated_after=THEN, last_updated_before=LATER),
    ],
    "orders.get_order": [
        lambda client, seller: orders.get_order(client, seller, "113-1111111-1111111"),
        lambda client, seller: orders.get_order(client, seller, "113-1111111-1111111", included_data=()),
    ],
    "orders.confirm_shipment": [
        lambda client, seller: orders.confirm_shipment(
            client, seller, "113-1111111-1111111", PACKAGE, marketplace_id=US
        ),
        lambda client, seller: orders.confirm_shipment(
            client,
            seller,
            "113-1111111-1111111",
            PACKAGE,
            marketplace_id="A1VC38T7YXB528",
            cod_collection_method="DirectPayment",
        ),
    ],
    "listings.get_listings_item": [
        lambda client, seller: listings.get_listings_item(client, seller, "A/B %2F ü", marketplace_id=US)
    ],
    "listings.put_listings_item": [
        lambda client, seller: listings.put_listings_item(
            client,
            seller,
            "A/B",
            marketplace_id=US,
            product_type="PRODUCT",
            requirements="LISTING_OFFER_ONLY",
            attributes={"purchasable_offer": [OFFER]},
            mode="VALIDATION_PREVIEW",
        )
    ],
    "listings.patch_listings_item": [
        lambda client, seller: listings.patch_listings_item(
            client,
            seller,
            "A/B",
            marketplace_id=US,
            product_type="PRODUCT",
            patches=[
                listings.quantity_patch(5, lead_time_to_ship_max_days=2),
                listings.price_patch(OFFER, Decimal("21.10")),
                listings.delete_fulfillment_patch("AMAZON_NA"),
            ],
        )
    ],
    "listings.delete_listings_item": [
        lambda client, seller: listings.delete_listings_item(client, seller, "A/B", marketplace_id=US)
    ],
    "listings.search_listings_items": [
        lambda client, seller: listings.search_listings_items(client, seller, marketplace_id=US),
        lambda client, seller: listings.search_listings_items(
            client,
            seller,
            marketplace_id=US,
            skus=("A/B", "a b"),
            created_after=THEN,
            created_before=LATER,
            last_updated_after=THEN,
            last_updated_before=LATER,
            sort_by="createdDate",
            sort_order="ASC",
            page_token="a+b",
        ),
    ],
}


def model_operation(method: str, path: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The published operation of this method and path, with its definitions, and the path's parameters."""
    assert MODELS is not None
    segments = path.split("/")
    for file in sorted(MODELS.glob("*-api-model/*.json")):
        model = json.loads(file.read_text())
        for template, methods in model["paths"].items():
            parts = template.split("/")
            if method.lower() in methods and len(parts) == len(segments):
                pairs = list(zip(parts, segments, strict=True))
                if all(part == segment or part.startswith("{") for part, segment in pairs):
                    named = {part[1:-1]: unquote(segment) for part, segment in pairs if part.startswith("{")}
                    return {**methods[method.lower()], "definitions": model.get("definitions", {})}, named
    raise AssertionError(f"no model knows {method} {path}")


def strict(schema: Any) -> Any:
    """A model object that lists its properties has no others: a misspelt field is a failure."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    held = {name: strict(part) for name, part in schema.items()}
    if isinstance(held.get("properties"), dict) and "additionalProperties" not in held:
        held["additionalProperties"] = False
    return held


def hold(method: str, target: str, body: bytes) -> str:
    """Fails unless the request is one of the model's; answers its operation id."""
    parts = urlsplit(target)
    operation, path = model_operation(method, parts.path)
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    known = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert set(query) <= set(known), f"the model knows no {set(query) - set(known)}"
    for one in operation.get("parameters", ()):
        name, where = one["name"], one["in"]
        parts_of: dict[str, dict[str, Any]] = {"path": path, "query": query, "body": {name: body} if body else {}}
        given = parts_of.get(where, {})
        assert name in given or not one.get("required"), f"{name} is required"
        if name not in given:
            continue
        if where == "body":
            root = {"definitions": strict(operation["definitions"]), **strict(one["schema"])}
            Draft4Validator(root).validate(json.loads(body))
        elif where == "query":
            (text,) = query[name]  # never repeated: lists are comma-joined
            Draft4Validator(_plain(one)).validate(_typed(one, text))
            if one.get("format") == "date-time":
                assert datetime.fromisoformat(text).tzinfo is not None
        else:
            assert path[name]
    operation_id: str = operation["operationId"]
    return operation_id


def _plain(parameter: dict[str, Any]) -> dict[str, Any]:
    names = ("type", "items", "enum", "minimum", "maximum", "minItems", "maxItems", "pattern")
    return {name: parameter[name] for name in names if name in parameter}


def _typed(parameter: dict[str, Any], text: str) -> Any:
    match parameter["type"]:
        case "array":
            assert parameter.get("collectionFormat", "csv") == "csv"
            return text.split(",")
        case "integer":
            return int(text)
        case "boolean":
            return {"true": True, "false": False}[text]
        case _:
            return text


@pytest.mark.row("E1")
@pytest.mark.fact("5.1.1")
@pytest.mark.fact("8.4.1")
@pytest.mark.parametrize("name", sorted(REQUESTS))
async def test_a_request_is_one_of_amazons_model(name: str, client_of: Any, wire: Any, seller: Seller) -> None:
    client = client_of("auth" if name.startswith("sellers") else name.split(".")[0])
    for send in REQUESTS[name]:
        wire.arrived.clear()
        with contextlib.suppress(errors.AmazonError):  # the answer says nothing here: the request has left
            await send(client, seller)
        (arrived,) = wire.arrived
        operation = hold(arrived.method, arrived.target, arrived.body)
        assert operation in {one.name for one in OPERATIONS}
        assert arrived.headers["x-amz-access-token"]
        assert arrived.headers["user-agent"].endswith(")")


def test_no_function_that_calls_amazon_is_left_out() -> None:
    found = set()
    for module in pkgutil.iter_modules(common.amazon.__path__):
        loaded = importlib.import_module(f"common.amazon.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.iscoroutinefunction):
            parameters = list(inspect.signature(function).parameters)
            if function.__module__ == loaded.__name__ and not name.startswith("_") and parameters[:1] == ["client"]:
                found.add(f"{module.name}.{name}")
    assert found == set(REQUESTS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_operation_of_our_table_is_amazons(operation: Operation) -> None:
    published, named = model_operation(operation.method, operation.path)
    assert published["operationId"] == operation.name.split(" ")[0]
    assert list(named) == [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    assert list(named.values()) == [f"{{{name}}}" for name in named]


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/orders/2026-01-01/orders?createdBefor=2026-01-01T00:00:00Z", b""),
        ("GET", "/orders/2026-01-01/orders?fulfillmentStatuses=Unshipped", b""),
        ("GET", "/orders/2026-01-01/orders?maxResultsPerPage=ten", b""),
        ("GET", "/listings/2021-08-01/items/A1/S", b""),
        ("POST", "/orders/v0/orders/1/shipmentConfirmation", b'{"marketplaceId": "X", "packageDetail": {}}'),
        ("GET", "/orders/2027-01-01/orders", b""),
    ],
)
def test_a_wrong_request_would_be_noticed(method: str, target: str, body: bytes) -> None:
    with pytest.raises((AssertionError, ValidationError, ValueError)):
        hold(method, target, body)
