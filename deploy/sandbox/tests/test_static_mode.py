"""Static mode against Amazon's own list of cases: every one is answered as published."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from amazon_sandbox.quotas import STATIC_PLAN
from amazon_sandbox.testing import LocalAmazon, SellingPartner, local_amazon

US = "ATVPDKIKX0DER"
_SHARED = next(
    (
        folder
        for parent in Path(__file__).resolve().parents
        if (folder := parent / "shared" / "sp-api").joinpath("sandbox_cases.json").is_file()
    ),
    None,
)
CASES: list[dict[str, Any]] = json.loads((_SHARED / "sandbox_cases.json").read_text()) if _SHARED else []

# FACTS 11.5: what Amazon publishes for these does not fit its own model.
BROKEN = {("getEligibleShipmentServices", 200), ("cancelShipment", 200), ("getAccount", 200)}
# Two cases of one operation that ask for the same: nothing in a request tells them apart.
SAME_REQUEST = {"getAccount"}

pytestmark = pytest.mark.skipif(_SHARED is None, reason="Amazon's models are not beside this checkout")


@pytest.fixture(scope="module")
def models() -> dict[str, dict[str, Any]]:
    """Each operation of the models by method and path, with the definitions of its file."""
    assert _SHARED is not None
    operations = {}
    for file in (_SHARED / "models").glob("*-api-model/*.json"):
        model = json.loads(file.read_text())
        for path, methods in model["paths"].items():
            for method, operation in methods.items():
                if isinstance(operation, dict) and "responses" in operation:
                    operations[f"{method.upper()} {path}"] = {**operation, "definitions": model.get("definitions", {})}
    return operations


@pytest.fixture(scope="module")
def caller() -> Iterator[SellingPartner]:
    assert _SHARED is not None
    with local_amazon("--no-quotas", "--static", str(_SHARED / "models")) as urls, httpx.Client(timeout=10) as http:
        amazon = LocalAmazon(http, urls)
        amazon.create_seller("A1US", "NA", US)
        yield amazon.connect("A1US", "NA")


def send(caller: SellingPartner, case: dict[str, Any], model: dict[str, Any]) -> httpx.Response:
    """The request the case describes, and what the operation requires besides."""
    wanted = ((case["request"] or {}).get("parameters")) or {}
    values = {name: each["value"] for name, each in wanted.items() if "value" in each}
    path, query, body = case["path"], {}, values.get("body")
    for parameter in model.get("parameters", ()):
        name, where = parameter["name"], parameter["in"]
        if where == "body":
            body = {} if body is None and parameter.get("required") else body
        elif name in values or parameter.get("required"):
            value = values.get(name, US if "arketplace" in name else "any")
            if where == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif where == "query":
                query[name] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return caller.call(case["method"], path, body, **query)


def named(case: dict[str, Any]) -> str:
    return f"{case['api']}.{case['operationId']}-{case['status']}-{case['case']}"


@pytest.mark.row("E1")
@pytest.mark.fact("11.1")
@pytest.mark.fact("11.2")
@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_published_case_is_answered_as_published(
    caller: SellingPartner, models: dict[str, dict[str, Any]], case: dict[str, Any]
) -> None:
    if case["operationId"] in SAME_REQUEST:
        wish = {"operation": case["operationId"], "status": case["status"], "case": case["case"]}
        caller.amazon.dial("PUT", "/sandbox/static", wish)
    answer = send(caller, case, models[f"{case['method']} {case['path']}"])
    assert answer.status_code == case["status"]
    if case["status"] == 204 or case["response"] is None:
        assert answer.content == b""
    else:
        assert answer.json() == case["response"]


@pytest.mark.fact("11.5")
def test_all_but_three_published_answers_fit_their_own_model(models: dict[str, dict[str, Any]]) -> None:
    broken = set()
    for case in CASES:
        model = models[f"{case['method']} {case['path']}"]
        schema = model["responses"][str(case["status"])].get("schema")
        if schema and case["response"] is not None:
            validator = Draft4Validator({"definitions": model["definitions"], **schema})
            if not validator.is_valid(case["response"]):
                broken.add((case["operationId"], case["status"]))
    assert len(CASES) == 153
    assert broken == BROKEN


@pytest.mark.fact("11.6")
@pytest.mark.fact("11.7")
def test_what_matches_nothing_is_refused_as_amazon_does(caller: SellingPartner) -> None:
    unmatched = caller.search_orders(createdAfter="2024-12-25T00:00:00Z")
    assert unmatched.status_code == 400
    assert unmatched.json()["errors"][0]["message"] == "Could not match input arguments"
    without_marketplace = caller.listings_item("GET", "BadSKU")
    assert without_marketplace.status_code == 400
    assert "marketplaceIds" in without_marketplace.json()["errors"][0]["details"]


@pytest.mark.fact("11.3")
@pytest.mark.fact("11.4")
def test_a_token_is_asked_for_and_the_stateful_operations_go_on(caller: SellingPartner) -> None:
    amazon = caller.amazon
    bare = amazon.http.get(amazon.urls["na"] + "/sellers/v1/marketplaceParticipations")
    assert bare.status_code == 403
    assert caller.call("GET", "/nothing/v1/here").status_code == 404
    query = {"granularityType": "Marketplace", "granularityId": US, "marketplaceIds": US}
    dynamic = caller.call("GET", "/fba/inventory/v1/summaries", **query)
    assert (dynamic.status_code, dynamic.json()["payload"]["inventorySummaries"]) == (200, [])


@pytest.mark.fact("3.11")
def test_the_published_sandbox_throttles_at_five_a_second_after_fifteen(caller: SellingPartner) -> None:
    amazon = caller.amazon
    amazon.settings(quotas={"enabled": True, "scale": 1 / 500})  # a call in a hundred seconds after the first one
    statuses = [caller.participations().status_code for _ in range(2)]
    amazon.advance(101)
    statuses.append(caller.participations().status_code)
    amazon.settings(quotas={"enabled": False, "scale": 1.0})
    assert statuses == [200, 429, 200]
    assert STATIC_PLAN == (5, 15)


def test_the_dial_says_which_cases_there_are(caller: SellingPartner) -> None:
    amazon = caller.amazon
    shown = amazon.dial("GET", "/sandbox/static")["operations"]
    assert sum(len(each["cases"]) for each in shown) == 153
    with pytest.raises(RuntimeError, match="200 case 0"):
        amazon.dial("PUT", "/sandbox/static", {"operation": "getAccount", "status": 404})
    with pytest.raises(RuntimeError, match="which path"):
        amazon.dial("PUT", "/sandbox/static", {"operation": "getOrder", "status": 400})
    assert amazon.dial("DELETE", "/sandbox/static") == {"chosen": []}


def test_a_choice_is_part_of_the_world() -> None:
    assert _SHARED is not None
    wish = {"operation": "getAccount", "status": 400}
    with local_amazon("--no-quotas", "--static", str(_SHARED / "models")) as urls, httpx.Client(timeout=10) as http:
        amazon = LocalAmazon(http, urls)

        def chosen() -> list[Any]:
            return [one["chosen"] for one in amazon.dial("GET", "/sandbox/static")["operations"] if one["chosen"]]

        amazon.dial("PUT", "/sandbox/static", wish)
        world = http.get(urls["dials"] + "/sandbox/world").content
        amazon.dial("DELETE", "/sandbox/world")
        assert chosen() == []
        http.put(urls["dials"] + "/sandbox/world", content=world).raise_for_status()
        assert len(chosen()) == 1


def test_without_models_static_mode_does_not_start(tmp_path: Path, amazon: LocalAmazon) -> None:
    with pytest.raises(json.JSONDecodeError), local_amazon("--static", str(tmp_path)):
        pass
    with pytest.raises(RuntimeError, match="--static"):
        amazon.dial("GET", "/sandbox/static")


def test_a_number_beyond_reason_is_a_bad_request(caller: SellingPartner) -> None:
    url = caller.amazon.urls["na"] + "/listings/2021-08-01/items/A1US/S"
    headers = {"x-amz-access-token": caller.access_token, "content-type": "application/json"}
    content = b'{"a":1e9999999999999999999}'
    answer = caller.amazon.http.put(url, params={"marketplaceIds": US}, content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "Request body is not valid JSON."
