"""One real local Amazon for the whole session, an empty world for each test, and Amazon's models looking on.

Every SP-API answer that any test receives is held against the published model, when the models are there.
"""

import functools
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import httpx
import pytest
from jsonschema import Draft4Validator, Draft7Validator, FormatChecker  # type: ignore[import-untyped]

from amazon_sandbox.testing import LocalAmazon, SellingPartner, local_amazon
from amazon_sandbox.testing_notifications import Desk

US = "ATVPDKIKX0DER"
GB = "A1F83G8C2ARO7P"

_MODELS = {
    "/sellers/": "sellers-api-model/sellers.json",
    "/listings/2021-08-01/restrictions/": "listings-restrictions-api-model/listingsRestrictions_2021-08-01.json",
    "/listings/": "listings-items-api-model/listingsItems_2021-08-01.json",
    "/orders/2026-01-01/": "orders-api-model/orders_2026-01-01.json",
    "/orders/v0/": "orders-api-model/ordersV0.json",
    "/feeds/": "feeds-api-model/feeds_2021-06-30.json",
    "/reports/": "reports-api-model/reports_2021-06-30.json",
    "/tokens/": "tokens-api-model/tokens_2021-03-01.json",
    "/applications/": "application-management-api-model/application_2023-11-30.json",
    "/notifications/": "notifications-api-model/notifications.json",
    "/catalog/": "catalog-items-api-model/catalogItems_2022-04-01.json",
    "/definitions/": "product-type-definitions-api-model/definitionsProductTypes_2020-09-01.json",
    "/fba/": "fba-inventory-api-model/fbaInventory.json",
}

_formats = FormatChecker(formats=())


def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_formats.checks("date-time", raises=ValueError)(_is_date_time)


def _models_folder() -> Path | None:
    """`../shared/sp-api/models` beside the checkout, wherever the checkout is."""
    folders = (parent / "shared" / "sp-api" / "models" for parent in Path(__file__).resolve().parents)
    return next((folder for folder in folders if folder.is_dir()), None)


def _strict(schema: Any) -> Any:
    """A model object that lists its properties has no others: a misspelt field is a failure."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(part) for name, part in schema.items()}
    if isinstance(strict.get("properties"), dict) and "additionalProperties" not in strict:
        strict["additionalProperties"] = False
    return strict


def _parts_of_all_of(definitions: Any) -> set[str]:
    """Objects that others are composed of, or that are composed: strictness would refuse the other parts."""
    found = set()
    for name, schema in definitions.items():
        for part in schema.get("allOf", ()):
            found |= {name, part.get("$ref", "").rpartition("/")[2]}
    return found


class Contract:
    """Amazon's models; `seen` are the operations and statuses that were held against them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: set[tuple[str, int]] = set()

    @functools.lru_cache  # noqa: B019 - one contract for each session
    def _model(self, path: str) -> dict[str, Any]:
        name = next(name for prefix, name in _MODELS.items() if path.startswith(prefix))
        model: dict[str, Any] = json.loads((self.folder / name).read_text())
        composed = _parts_of_all_of(model["definitions"])
        definitions = {
            name: schema if name in composed else _strict(schema) for name, schema in model["definitions"].items()
        }
        return {**model, "definitions": definitions}

    def check(self, answer: httpx.Response) -> None:
        path = urlsplit(str(answer.request.url)).path
        model = self._model("/".join(path.split("/")[:4]) + "/")
        operation = self._operation(model, answer.request.method, path)
        self.seen.add((operation["operationId"], answer.status_code))
        schema = operation["responses"][str(answer.status_code)].get("schema")
        if not schema:
            assert answer.content == b""
            return
        root = {"definitions": model["definitions"], **schema}
        Draft4Validator(root, format_checker=_formats).validate(answer.json())

    @staticmethod
    def _operation(model: dict[str, Any], method: str, path: str) -> dict[str, Any]:
        segments = path.split("/")
        for template, methods in model["paths"].items():
            parts = template.split("/")
            fits = len(parts) == len(segments) and all(
                part == segment or part.startswith("{") for part, segment in zip(parts, segments, strict=True)
            )
            if fits and method.lower() in methods:
                operation: dict[str, Any] = methods[method.lower()]
                return operation
        raise AssertionError(f"{method} {path} is not in the model")


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    folder = _models_folder()
    return Contract(folder) if folder is not None else None


@pytest.fixture(scope="session")
def sandbox_urls() -> Iterator[dict[str, str]]:
    with local_amazon() as urls:
        yield urls


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.fixture
def amazon(http: httpx.Client, sandbox_urls: dict[str, str], contract: Contract | None) -> LocalAmazon:
    """An empty world with quotas lifted and nothing delayed: tests dial what they are about."""
    amazon = LocalAmazon(http, sandbox_urls)
    amazon.dial("DELETE", "/sandbox/world")
    amazon.settings(
        **dict.fromkeys(("listing_delay_s", "shipment_delay_s", "search_lag_s"), 0),
        **dict.fromkeys(("feed_queue_s", "feed_processing_s", "report_queue_s", "report_processing_s"), 0),
        report_cooldown_s=0,
        quotas={"enabled": False},
    )
    amazon.check = contract.check if contract is not None else None
    return amazon


@pytest.fixture(scope="session")
def sqs(sandbox_urls: dict[str, str]) -> Any:
    """AWS's own client, unmodified, pointed at the local Amazon."""
    return botocore.session.Session().create_client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=sandbox_urls["lwa"],
        aws_access_key_id="AKIALOCAL",
        aws_secret_access_key="local",
    )


@pytest.fixture
def desk(amazon: LocalAmazon, sqs: Any) -> Desk:
    return Desk(amazon, sqs)


@pytest.fixture(scope="session")
def notification_schema() -> Callable[[str, Any], None]:
    """Holds a notification against Amazon's published schema of that name; does nothing when there is none."""
    folder = _models_folder()

    def check(name: str, document: Any) -> None:
        if folder is not None:
            schema = json.loads((folder / "schemas" / "notifications" / f"{name}.json").read_text())
            if name == "ListingsItemStatusChangeNotification":  # FACTS 9.9: its own enum is wrong
                schema["properties"]["NotificationType"]["enum"] = ["LISTINGS_ITEM_STATUS_CHANGE"]
            Draft7Validator(_strict(schema), format_checker=_formats).validate(document)

    return check


@pytest.fixture
def seller(amazon: LocalAmazon) -> SellingPartner:
    """A US seller, connected."""
    amazon.create_seller("A1US", "NA", US)
    return amazon.connect("A1US", "NA")


@pytest.fixture
def uk_seller(amazon: LocalAmazon) -> SellingPartner:
    """A British seller, connected."""
    amazon.create_seller("A2GB", "EU", GB)
    return amazon.connect("A2GB", "EU")
