"""One test over the OpenAPI of all four services: rubbish in any text of any operation, at any place, is refused with
its place and never breaks anything."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

SERVICES = ("auth", "listings", "orders", "compliance")
NUL, HALF, LONG = "a\0b", "a\ud800b", "x" * 1_000_000
DEEP = "[" * 50_000 + "]" * 50_000
# Bodies that are read as they come, each with its own tests.
STREAMED = ("text/csv", "application/pdf", "application/x-www-form-urlencoded")
# The browser's ways, whose queries Amazon writes: a parameter that we do not know is none of our business.
BROWSERS = {"/v1/oauth/callback", "/v1/oauth/login"}

pytestmark = [pytest.mark.parametrize("name", SERVICES), pytest.mark.edge(32)]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a JSON value holds text."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from places(part, (*path, key))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from places(part, (*path, position))


def put(value: Any, path: tuple[Any, ...], rubbish: Any) -> Any:
    changed = copy.deepcopy(value)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = rubbish
    return changed


def whole_body(route: Any, ids: Mapping[str, str]) -> Any:
    """A body that says everything that the document knows of, so that every text has its turn."""

    def example(schema: Mapping[str, Any], name: str) -> Any:
        if "$ref" in schema:
            return example(route.schemas[schema["$ref"].rsplit("/", 1)[1]], name)
        for kind in ("anyOf", "oneOf"):
            if kind in schema:
                return example(next(one for one in schema[kind] if one.get("type") != "null"), name)
        kinds = schema.get("type")
        if kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
            return {one: example(part, one) for one, part in schema.get("properties", {}).items()}
        if kinds == "array":
            return [example(schema["items"], name.removesuffix("s"))]
        if isinstance(kinds, list):
            return example({**schema, "type": kinds[0]}, name)
        return route._example(schema, name, ids)

    content = route.operation.get("requestBody", {}).get("content", {})
    return example(content["application/json"]["schema"], "") if "application/json" in content else None


def refused_with_its_place(answer: Any, told: str) -> None:
    assert 400 <= answer.status_code < 500, f"{told} -> {answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json", told
    said = answer.json()
    assert said.get("errors") or said.get("where") or answer.status_code in (401, 403, 404), f"{told} -> {said}"
    assert all(error["where"] and error["detail"] for error in said.get("errors", ())), f"{told} -> {said}"
    assert LONG not in answer.text


def row_refused(answer: Any) -> bool:
    """Rows are judged one by one: the odd one is named, the answer is good."""
    return bool(answer.status_code == 200 and answer.json().get("errors"))


async def test_rubbish_in_any_text_of_any_operation_is_refused_with_its_place(name: str, open_world: Any) -> None:
    world = await open_world(name)
    http, tried = world.running.http, 0
    for route in world.routes:
        path = route.path.format_map(world.ids)
        request = route.request(world.ids)
        body = whole_body(route, world.ids)
        for place in places(body):
            for rubbish in (NUL, HALF, LONG if tried < 3 else LONG[:10_000]):
                content = json.dumps(put(body, place, rubbish)).encode()
                headers = world.headers | {"content-type": "application/json"}
                answer = await http.request(
                    route.method, path, content=content, headers=headers, params=request.get("params")
                )
                told = f"{route.method} {route.path} {place} {rubbish[:5]!r}"
                if not row_refused(answer):
                    refused_with_its_place(answer, told)
                tried += 1
        if body is not None:
            for content in (DEEP.encode(), b"\xff\xfe", b"[" * 10, b'{"a": NaN}', b'"text"', b"[]", b"1" * 10_000):
                headers = world.headers | {"content-type": "application/json"}
                answer = await http.request(route.method, path, content=content, headers=headers)
                refused_with_its_place(answer, f"{route.method} {route.path} {content[:10]!r}")
        for parameter in route.operation.get("parameters", ()):
            tried += await _rubbish_in(world, route, path, request, parameter)
        if route.path not in BROWSERS:
            answer = await http.request(
                route.method, path, **_with(request, world.headers, params={"no_such_parameter": "1"})
            )
            told = f"{route.method} {route.path}?no_such_parameter"
            refused_with_its_place(answer, told)
            if answer.status_code == 400:
                assert "query.no_such_parameter" in answer.text, told
    assert tried > 50


async def _rubbish_in(world: Any, route: Any, path: str, request: dict[str, Any], parameter: dict[str, Any]) -> int:
    http, tried = world.running.http, 0
    for rubbish in (NUL, "\u00e9" * 10 + NUL, "x" * 10_000):
        told = f"{route.method} {route.path} {parameter['in']} {parameter['name']} {rubbish[:5]!r}"
        given = _with(request, world.headers)
        target = path
        match parameter["in"]:
            case "query":
                given["params"] = {**given.get("params", {}), parameter["name"]: rubbish}
            case "path":
                target = route.path.format_map({**world.ids, parameter["name"]: quote(rubbish, safe="")})
            case "header" if "\0" not in rubbish and parameter["name"] != "accept":
                given["headers"] = {**given["headers"], parameter["name"]: rubbish}
            case _:
                continue
        refused_with_its_place(await http.request(route.method, target, **given), told)
        tried += 1
    return tried


def _with(request: dict[str, Any], headers: dict[str, str], **more: Any) -> dict[str, Any]:
    given = dict(request) | {"headers": request.get("headers", {}) | headers}
    if "params" in more:
        given["params"] = {**request.get("params", {}), **more["params"]}
    return given
