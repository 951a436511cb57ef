"""Bodies that are not JSON or too big: 415 and 413, for the operations whose models declare them (FACTS 3.8)."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from amazon_sandbox import bodies
from amazon_sandbox.sp_api import OPERATIONS
from amazon_sandbox.testing import LocalAmazon, SellingPartner, offer_attributes

US = "ATVPDKIKX0DER"
BODY = json.dumps({"productType": "PRODUCT", "attributes": offer_attributes()}).encode()


def put(seller: SellingPartner, content: bytes, content_type: str | None) -> httpx.Response:
    url = f"{seller.amazon.urls['na']}/listings/2021-08-01/items/A1US/S"
    headers = {"x-amz-access-token": seller.access_token}
    if content_type is not None:
        headers["content-type"] = content_type
    answer = seller.amazon.http.put(url, params={"marketplaceIds": US}, content=content, headers=headers)
    if seller.amazon.check is not None:
        seller.amazon.check(answer)
    return answer


@pytest.mark.fact("3.8")
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_body_of_another_content_type_is_415(seller: SellingPartner, content_type: str) -> None:
    answer = put(seller, BODY, content_type)
    assert answer.status_code == 415
    (error,) = answer.json()["errors"]
    assert error["code"] == "UnsupportedMediaType"
    assert seller.listings_item("GET", "S", marketplaceIds=US).status_code == 404


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8", None])
def test_json_is_taken_however_it_is_written_and_when_nothing_is_said(
    seller: SellingPartner, content_type: str | None
) -> None:
    assert put(seller, BODY, content_type).status_code == 200


@pytest.mark.fact("3.8")
def test_a_body_above_the_limit_is_413(seller: SellingPartner) -> None:
    fits = BODY + b" " * (bodies.MOST_BYTES - len(BODY))
    assert put(seller, fits, "application/json").status_code == 200
    answer = put(seller, fits + b" ", "application/json")
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["code"] == "RequestTooLarge"


def test_without_a_body_nobody_asks_for_its_type(amazon: LocalAmazon, seller: SellingPartner) -> None:
    url = f"{amazon.urls['na']}/sellers/v1/marketplaceParticipations"
    headers = {"x-amz-access-token": seller.access_token, "content-type": "text/plain"}
    assert amazon.http.get(url, headers=headers).status_code == 200
    answer = put(seller, b"", "text/plain")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "Unauthorized"), (413, "RequestTooLarge"), (415, "UnsupportedMediaType"), (500, "InternalFailure")],
)
def test_a_fault_of_such_a_status_has_its_code(
    amazon: LocalAmazon, seller: SellingPartner, status: int, code: str
) -> None:
    amazon.check = None
    amazon.dial("POST", "/sandbox/faults", {"operation": "putListingsItem", "status": status})
    answer = put(seller, BODY, "application/json")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def _declared(folder: Path) -> dict[tuple[str, str], set[str]]:
    """The statuses of each operation in Amazon's models, by method and path."""
    declared: dict[tuple[str, str], set[str]] = {}
    for file in folder.glob("*-api-model/*.json"):
        paths: dict[str, dict[str, Any]] = json.loads(file.read_bytes())["paths"]
        for path, methods in paths.items():
            shape = "/".join("*" if part.startswith("{") else part for part in path.strip("/").split("/"))
            for method, operation in methods.items():
                if method in ("post", "put", "patch"):
                    declared[method.upper(), shape] = set(operation["responses"])
    return declared


def test_these_statuses_are_given_where_the_models_declare_them_and_nowhere_else(contract: Any) -> None:
    if contract is None:
        pytest.skip("Amazon's models are not beside this checkout")
    declared = _declared(contract.folder)
    with_body = [one for one in OPERATIONS if one.method in ("POST", "PUT", "PATCH")]
    assert {one.name for one in with_body if "415" not in declared[one.method, one.path]} == bodies.WITHOUT_415
    assert {one.name for one in with_body if "413" not in declared[one.method, one.path]} == bodies.WITHOUT_413
