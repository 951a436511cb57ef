"""The OpenAPI documents of all four services, held to what every reader may count on. They are generated from the code
(`make check` says when they are stale), so a wrong one is wrong code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVICES = ("auth", "listings", "orders", "compliance")
DOCS = Path(__file__).parent.parent / "docs/openapi"
PROBLEM = "application/problem+json"
# OAuth's own words to OAuth clients, and JWKS: their shapes are not ours.
FOREIGN = {"OAuthRefusalAnswer", "SigningKeyAnswer", "SigningKeysAnswer"}

pytestmark = pytest.mark.parametrize("name", SERVICES)


def document(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DOCS / f"{name}.json").read_text())
    return read


def operations(name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document(name)["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def schemas_within(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from schemas_within(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from schemas_within(part)


def is_endless(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format", "maxLength"}


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(name: str) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(name)]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", one)] == []
    silent = [operation["operationId"] for _, _, operation in operations(name) if not operation.get("description")]
    assert silent == []
    assert [operation["operationId"] for _, _, operation in operations(name) if not operation.get("tags")] == []
    assert document(name)["servers"]


def test_no_operation_answers_422_and_every_refusal_is_a_problem(name: str) -> None:
    known = set(document(name)["components"]["schemas"]["Problem"]["properties"]["type"]["x-extensible-enum"])
    for path, method, operation in operations(name):
        answers = operation["responses"]
        assert "422" not in answers
        assert {"400", "500", "503"} <= set(answers), (method, path)
        if "security" in operation and path != "/v1/token":
            assert {"401", "403"} <= set(answers), (method, path)
        for status, answer in answers.items():
            if status >= "400" and path != "/readyz":
                content = answer["content"][PROBLEM]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert {f"/problems/{slug}" for slug in content["examples"]} <= known


def test_no_answer_holds_an_object_without_a_shape(name: str) -> None:
    shapeless = []
    for component, schema in document(name)["components"]["schemas"].items():
        if component in FOREIGN:
            continue
        for part in schemas_within(schema):
            if part.get("type") == "object" and not part.get("properties"):
                inner = part.get("additionalProperties")
                if not isinstance(inner, dict) or not inner:
                    shapeless.append((component, part))
            if part.get("type") == "array" and not part.get("items") and not part.get("prefixItems"):
                shapeless.append((component, part))
    assert shapeless == []


def test_every_list_is_a_page_with_the_same_parameters(name: str) -> None:
    lists = [
        (path, operation)
        for path, method, operation in operations(name)
        if method == "get" and operation["operationId"].startswith("list_") and path != "/.well-known/jwks.json"
    ]
    assert lists
    for path, operation in lists:
        shape = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        assert "Page_" in shape, path
        given = {one["name"]: one["schema"] for one in operation["parameters"] if one["in"] == "query"}
        assert {"limit", "cursor", "total"} <= set(given), path
        assert (given["limit"]["default"], given["limit"]["maximum"]) == (100, 500), path
    for path, method, operation in operations(name):
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                assert content["schema"].get("type") != "array", (method, path)


def test_every_text_that_is_taken_has_a_longest_length(name: str) -> None:
    whole = document(name)
    endless = []
    for path, method, operation in operations(name):
        if method == "delete":
            assert "requestBody" not in operation, path
        for parameter in operation.get("parameters", ()):
            endless += [(path, parameter["name"]) for part in schemas_within(parameter["schema"]) if is_endless(part)]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            reference = content["schema"].get("$ref")
            if reference:
                schema = whole["components"]["schemas"][reference.rsplit("/", 1)[1]]
                endless += [(path, str(part)) for part in schemas_within(schema) if is_endless(part)]
    assert endless == []


def test_bodies_and_answers_are_named_as_what_they_are(name: str) -> None:
    whole = document(name)
    answered = {
        content["schema"]["$ref"].rsplit("/", 1)[1]
        for _, _, operation in operations(name)
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        if "$ref" in content["schema"]
    }
    both = {"OrderSettings", "Mappings"}  # what is put is what is answered
    assert {one for one in answered if not re.search(r"Answer|^Problem$", one)} <= both
    for component in whole["components"]["schemas"]:
        assert not re.search(r"View|Request$|Payload|DTO", component) or component == "AccessTokenRequest", component
