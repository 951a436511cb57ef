"""What import-linter cannot say: every route of every service declares a scope, and answers strangers with 401."""

import ast
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from common.errors import Problem
from common.front_door import Guarded
from common.testing.plugin import RunService

ROOT = Path(__file__).parents[1]
SERVICES = ("auth", "listings", "orders", "compliance")
# Open on purpose: the token exchange, the keys, the browser's ways from and back to Amazon.
OPEN = {
    "/v1/token",
    "/.well-known/jwks.json",
    "/v1/oauth/callback",
    "/v1/oauth/login",
    "/healthz",
    "/readyz",
    "/metrics",
}


def scopes(route: APIRoute) -> list[str]:
    found: list[str] = []
    waiting = list(route.dependant.dependencies)
    while waiting:
        dependant = waiting.pop()
        waiting += dependant.dependencies
        if scope := getattr(dependant.call, "scope", None):
            found.append(scope)
    return found


@pytest.mark.row("A9")
@pytest.mark.parametrize("name", SERVICES)
async def test_every_route_declares_a_scope_and_refuses_strangers(name: str, run_service: RunService) -> None:
    service = import_module(f"{name}_service.app").SERVICE
    running = await run_service(service)
    routes = [route for router in service.routers for route in router.routes if isinstance(route, APIRoute)]
    assert len(routes) > 3
    for route in routes:
        if route.path in OPEN:
            continue
        assert scopes(route), f"{name} {route.path} declares no scope"
        assert isinstance(route, Guarded), f"{name} {route.path} reads its body before it knows its caller"
        path = route.path.replace("{", "").replace("}", "")
        answer = await running.http.request(sorted(route.methods or ())[0], path)
        assert (route.path, answer.status_code) == (route.path, 401)


def problems() -> list[type[Problem]]:
    """Every problem of every service."""
    for name in SERVICES:
        import_module(f"{name}_service.app")

    def every(kind: type[Problem]) -> list[type[Problem]]:
        return [kind, *(deeper for sub in kind.__subclasses__() for deeper in every(sub))]

    return every(Problem)


def test_a_problem_slug_means_one_thing_in_all_services() -> None:
    said: dict[str, set[tuple[int, str]]] = {}
    for kind in problems():
        said.setdefault(kind.slug, set()).add((kind.status, kind.title))
    assert {slug: meanings for slug, meanings in said.items() if len(meanings) > 1} == {}


def without_names(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path).rstrip(".")


def test_every_call_that_a_fix_names_exists() -> None:
    calls: set[tuple[str, str]] = set()
    for name in SERVICES:
        paths = json.loads((ROOT / f"docs/openapi/{name}.json").read_text())["paths"]
        calls |= {(method.upper(), without_names(path)) for path, methods in paths.items() for method in methods}
    known = {path for _, path in calls}
    named = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/v1/[\w/{}.-]+)")
    found = [(kind.__name__, *call.groups()) for kind in problems() for call in named.finditer(kind.fix)]
    # Fixes are also given where a problem, a row's error or a reason is made.
    sources = [path for member in ("services/*", "libs/common") for path in ROOT.glob(f"{member}/src/**/*.py")]
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said = [call.groups() for call in named.finditer(node.value)]
                found += [(source.stem, method, path) for method, path in said if method]
    assert len(found) > 20
    wrong = [
        (where, method, path)
        for where, method, path in found
        if not (without_names(path) in known if method is None else (method, without_names(path)) in calls)
    ]
    assert wrong == []
