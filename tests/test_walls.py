"""What import-linter cannot say: every route of every service declares a scope, and answers strangers with 401."""

from importlib import import_module

import pytest
from fastapi.routing import APIRoute

from common.errors import Problem
from common.testing.plugin import RunService

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
        path = route.path.replace("{", "").replace("}", "")
        answer = await running.http.request(sorted(route.methods or ())[0], path)
        assert (route.path, answer.status_code) == (route.path, 401)


def test_a_problem_slug_means_one_thing_in_all_services() -> None:
    for name in SERVICES:
        import_module(f"{name}_service.app")

    def every(kind: type[Problem]) -> list[type[Problem]]:
        return [kind, *(deeper for sub in kind.__subclasses__() for deeper in every(sub))]

    said: dict[str, set[tuple[int, str]]] = {}
    for kind in every(Problem):
        said.setdefault(kind.slug, set()).add((kind.status, kind.title))
    assert {slug: meanings for slug, meanings in said.items() if len(meanings) > 1} == {}
