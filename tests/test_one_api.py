"""What every operation and every list of all four services has in common (ADR 12), asked of the running services by
what their OpenAPI documents say."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from common.errors import METHODS
from common.http import Response

SERVICES = ("auth", "listings", "orders", "compliance")
# A second item of one list of each service, so that it has a second page.
TWO = {
    "auth": ("/v1/marketplaces", None),
    "listings": ("/v1/listings", {"sku": "SECOND-1", "quantity": 1}),
    "orders": ("/v1/carriers", None),
    "compliance": ("/v1/sources", {"name": "Second", "kind": "supplier"}),
}

pytestmark = pytest.mark.parametrize("name", SERVICES)


def lists_of(world: Any) -> list[Any]:
    found = [
        route
        for route in world.routes
        if "limit" in {given["name"] for given in route.operation.get("parameters", ()) if given["in"] == "query"}
    ]
    assert len(found) > 3
    return found


async def get(world: Any, path: str, **query: Any) -> Response:
    answer: Response = await world.running.http.get(path.format_map(world.ids), params=query, headers=world.headers)
    return answer


async def page(world: Any, path: str, **query: Any) -> Any:
    answer = await get(world, path, **query)
    assert answer.status_code == 200, f"{path} {query} -> {answer.text}"
    return answer.json()


async def first_of_two(world: Any, name: str) -> tuple[str, str]:
    """A list and the cursor of its second page."""
    path, body = TWO[name]
    if body is not None:
        rows: Any = {"listings": [body | {"channel_id": world.ids["channel_id"]}]} if name == "listings" else body
        answer = await world.running.http.post(path, json=rows, headers=world.headers)
        assert answer.is_success, answer.text
    cursor = (await page(world, path, limit=1))["next_cursor"]
    assert cursor
    return path, cursor


async def test_head_answers_what_get_does_without_its_body(name: str, open_world: Any) -> None:
    world = await open_world(name)
    for route in world.routes:
        # What a page shows there ends with the browser's visit.
        if route.method != "GET" or route.path.startswith("/v1/oauth/"):
            continue
        path, options = route.path.format_map(world.ids), route.request(world.ids) | {"headers": world.headers}
        whole = await world.running.http.get(path, **options)
        head = await world.running.http.head(path, **options)
        assert (head.status_code, head.content) == (whole.status_code, b""), path
        for header in ("content-type", "content-length", "cache-control", "content-disposition"):
            assert head.headers.get(header) == whole.headers.get(header), f"{path} {header}"


async def test_a_method_that_a_path_does_not_take_is_answered_with_all_that_it_takes(
    name: str, open_world: Any
) -> None:
    world = await open_world(name)
    for path in {route.path for route in world.routes}:
        asked = path.format_map(world.ids)
        # Also those of a template that the path fits: `/v1/listings/csv` is one of `/v1/listings/{listing_id}`.
        taken = {one.method for one in world.routes if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), asked)}
        taken |= {"HEAD"} & {"HEAD" if "GET" in taken else ""}
        for method in {*METHODS, "OPTIONS", "PROPFIND"} - taken:
            answer = await world.running.http.request(method, asked, headers=world.headers)
            assert answer.status_code == 405, f"{method} {asked}"
            assert set(answer.headers["allow"].split(", ")) == taken, f"{method} {asked}"
            assert method == "HEAD" or answer.json()["type"] == "/problems/method-not-allowed"


async def test_any_token_may_ask_whose_it_is_and_what_it_may_do(name: str, open_world: Any) -> None:
    world = await open_world(name)
    mine = await page(world, "/v1/whoami")
    assert mine["account_id"] == str(world.account_id)
    assert mine["subject"]
    assert "orders:read" in mine["scopes"]
    assert mine["scopes"] == sorted(mine["scopes"])
    with_little = await world.running.http.get("/v1/whoami", headers=world.scopeless)
    assert with_little.json()["account_id"] == str(world.account_id)
    assert len(with_little.json()["scopes"]) == 1
    theirs = await world.running.http.get("/v1/whoami", headers=world.strangers)
    assert theirs.json()["account_id"] != str(world.account_id)


async def test_every_list_counts_all_its_pages_when_it_is_asked_to(name: str, open_world: Any) -> None:
    world = await open_world(name)
    await first_of_two(world, name)
    counted = 0
    for route in lists_of(world):
        if (await get(world, route.path)).status_code == 403:
            continue  # the platform's own
        whole = await page(world, route.path)
        assert (whole["total"], whole["next_cursor"]) == (None, None), route.path
        seen, cursor = [], None
        while True:
            one = await page(world, route.path, limit=1, total=True, **({"cursor": cursor} if cursor else {}))
            assert one["total"] == len(whole["items"]), route.path
            seen += one["items"]
            if (cursor := one["next_cursor"]) is None:
                break
        assert [_lasting(item) for item in seen] == [_lasting(item) for item in whole["items"]], route.path
        counted = max(counted, len(seen))
    assert counted >= 2


def _lasting(item: Mapping[str, Any]) -> Any:
    return {field: value for field, value in item.items() if field not in ("age_seconds", "next_attempt_at")}


async def test_a_cursor_of_another_list_or_of_other_filters_is_refused(name: str, open_world: Any) -> None:
    world = await open_world(name)
    its_path, cursor = await first_of_two(world, name)
    assert (await get(world, its_path, cursor=cursor, limit=7, total=True)).status_code == 200
    refused = 0
    for route in lists_of(world):
        if route.path != its_path and (await get(world, route.path)).status_code == 200:
            _refused(await get(world, route.path, cursor=cursor), "/problems/unknown-cursor", "query.cursor")
            refused += 1
        elif route.path == its_path and (filters := filters_of(route)):
            query = {"updated_since": "2020-01-01T00:00:00Z", "cursor": cursor}
            assert "updated_since" in filters
            _refused(await get(world, its_path, **query), "/problems/unknown-cursor", "query.cursor")
    assert refused > 2


async def test_a_filter_that_a_list_does_not_have_is_refused_with_its_place(name: str, open_world: Any) -> None:
    world = await open_world(name)
    for route in lists_of(world):
        if (await get(world, route.path)).status_code == 200:
            answer = await get(world, route.path, chanel_id=str(uuid4()))
            _refused(answer, "/problems/invalid-request", "query.chanel_id")
            assert "limit" in answer.json()["fix"]


def _refused(answer: Response, problem: str, where: str) -> None:
    assert answer.status_code == 400, f"{answer.url} -> {answer.status_code}"
    said = answer.json()
    assert (said["type"], said["where"]) == (problem, where), f"{answer.url} -> {said}"


def filters_of(route: Any) -> list[str]:
    paging = ("limit", "cursor", "total")
    parameters = route.operation.get("parameters", ())
    found = [one for one in parameters if one["in"] == "query" and one["name"] not in paging]
    return [one["name"] for one in found]


# What finds the first item of a list by a filter, where neither the item nor what the account has there says it.
FOUND_BY: Mapping[str, Any] = {
    "sku_prefix": "PLANT",
    "ship_by_before": "2199-01-01T00:00:00Z",
    "within_days": None,
    "channel_type": None,
    "purchased_at": None,
}
# Filters by time: everything is since long ago, nothing since far ahead.
SINCE = re.compile(r"\w+_since")


async def test_every_filter_of_every_list_finds_what_fits_and_nothing_else(name: str, open_world: Any) -> None:
    world = await open_world(name)
    tried = set()
    for route in lists_of(world):
        if (answer := await get(world, route.path)).status_code != 200 or not (items := answer.json()["items"]):
            continue
        for one in filters_of(route):
            if one in FOUND_BY and FOUND_BY[one] is None:
                continue  # no filter of items: it says for what is asked
            fits, other = _fitting(one, items[0], world.ids, route)
            if fits is not None:
                found = await page(world, route.path, **{one: fits}, total=True)
                assert items[0] in found["items"], f"{route.path}?{one}={fits}"
            answer = await get(world, route.path, **{one: other}, total=True)
            if answer.status_code == 404:  # the thing that is named must be there
                continue
            assert answer.status_code == 200, f"{route.path}?{one}={other} -> {answer.text}"
            rest = answer.json()
            assert items[0] not in rest["items"], f"{route.path}?{one}={other}"
            assert rest["total"] == len(rest["items"])
            tried.add((route.path, one))
    assert len(tried) >= 4


def _fitting(one: str, item: Mapping[str, Any], ids: Mapping[str, str], route: Any) -> tuple[Any, Any]:
    """What a filter finds the item by, and what it does not."""
    if SINCE.fullmatch(one):
        return "2001-01-01T00:00:00Z", "2198-01-01T00:00:00Z"
    if one == "ship_by_before":
        return FOUND_BY[one], "2001-01-01T00:00:00Z"
    (schema,) = (given["schema"] for given in route.operation["parameters"] if given["name"] == one)
    if one == "revoked":
        return str(item["revoked_at"] is not None).lower(), str(item["revoked_at"] is None).lower()
    if one == "hold":
        return None, "easy_ship"  # nothing holds it
    value = FOUND_BY.get(one) or item.get(one) or ids.get(one)
    if one in item and isinstance(item[one], bool):
        return str(item[one]).lower(), str(not item[one]).lower()
    assert one in item or value is not None, f"say in FOUND_BY what finds {item} by {one}"
    kinds = [schema, *schema.get("anyOf", ())]
    if any(kind.get("format") == "uuid" for kind in kinds):
        return value, str(uuid4())
    known = next((kind["enum"] for kind in kinds if "enum" in kind), None)
    return value, next(one for one in known if one != value) if known else "nobody"
