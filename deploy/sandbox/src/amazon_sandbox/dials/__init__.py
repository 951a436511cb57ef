"""The dials under /sandbox: they seed this Amazon, change how it behaves, and read its books."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, compile_path

from amazon_sandbox.consent import ConsentPage
from amazon_sandbox.definitions.operations import serve_meta_schema, serve_schema
from amazon_sandbox.dials import (
    apps,
    books,
    catalog,
    controls,
    feeds,
    listings,
    notifications,
    orders,
    plans,
    sellers,
    static,
    worlds,
)
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.world import World

_DIALS: tuple[Dial, ...] = (
    *sellers.DIALS,
    *apps.DIALS,
    *listings.DIALS,
    *orders.DIALS,
    *notifications.DIALS,
    *feeds.DIALS,
    *catalog.DIALS,
    *controls.DIALS,
    *plans.DIALS,
    *worlds.DIALS,
    *static.DIALS,
    *books.DIALS,
)


def dial_routes(world: World) -> list[BaseRoute]:
    """The dials, their index at /sandbox, and the consent page."""
    consent = ConsentPage(world)
    return [
        Route("/", _to_index),
        Route("/sandbox", _index),
        *(Route(dial.path, dial.endpoint(world), methods=[dial.method]) for dial in _DIALS),
        Route("/apps/authorize/consent", consent.show, methods=["GET"]),
        Route("/apps/authorize/consent", consent.confirm, methods=["POST"]),
        Route("/apps/authorize/confirm/{application_id}", consent.callback, methods=["GET"]),
        Route("/apps/manage", consent.manage, methods=["GET"]),
        Route("/apps/manage", consent.begin, methods=["POST"]),
        Route("/schemas/product-types/meta-schema", serve_meta_schema, methods=["GET"]),
        Route(
            "/schemas/product-types/{product_type}/{requirements}/{enforced}/{marketplace_id}",
            serve_schema,
            methods=["GET"],
        ),
        Route("/sandbox/{anything:path}", _no_such_dial, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]


def turn(world: World, dial: str, query: dict[str, str], body: bytes) -> object:
    """Turns a dial without HTTP, as in `turn(world, "POST /sandbox/sellers", {}, body)`. Raises DialError."""
    method, _, path = dial.partition(" ")
    for known in _DIALS:
        fits = compile_path(known.path)[0].fullmatch(path)
        if known.method == method and fits:
            return known.turn(DialCall(world, fits.groupdict(), query, body))
    raise DialError(f"there is no dial {dial}", 404)


async def _index(_request: Request) -> Response:
    return JSONResponse({"dials": [{"dial": f"{dial.method} {dial.path}", "usage": dial.usage} for dial in _DIALS]})


async def _to_index(_request: Request) -> Response:
    return RedirectResponse("/sandbox")


async def _no_such_dial(request: Request) -> Response:
    known = [f"{dial.method} {dial.path}" for dial in _DIALS]
    return JSONResponse({"error": f"there is no dial {request.method} {request.url.path}", "dials": known}, 404)
