"""What comes before a route's own work: room for one more request, the caller's credentials, then the body, bounded.

FastAPI reads and parses a body before it solves dependencies: 300 MB of spaces without a token would cost 600 MB of
memory and the event loop. A `Guarded` route verifies its caller first, whatever its endpoint asks for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common import clock
from common.callers import Requires
from common.errors import InvalidRequest, Problem, Unavailable, respond
from common.settings import ServiceSettings

F = TypeVar("F", bound=Callable[..., Any])

LARGEST_BODY = 1024 * 1024
# A body must bring this many bytes a second on the whole, after a first grace.
GRACE_SECONDS = 60.0
SLOWEST_RATE = 8 * 1024

_LIMIT = "entrepot.body_limit"
_ATTRIBUTE = "largest_body"
_HEALTH = ("/healthz", "/readyz")


class BodyTooLarge(InvalidRequest):
    status, slug, title = 413, "body-too-large", "The body is larger than this route takes"
    fix = "Send less at once: fewer rows in a request, or the CSV route, which takes a file of any length"


class RequestTooSlow(InvalidRequest):
    status, slug, title = 408, "request-too-slow", "The body did not come to its end in time"
    fix = "Send it in one go; what is stored already changes nothing twice"


class Busy(Unavailable):
    slug, title = "busy", "This process answers as many requests as it can"
    fix = "Try again in a moment"


def body_limit(largest: int | None) -> Callable[[F], F]:
    """How many bytes this route's body may have, where it is not `LARGEST_BODY`; None for one that streams it."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _ATTRIBUTE, largest)
        return endpoint

    return mark


class Guarded(APIRoute):
    """A route that verifies its caller and knows its body's limit before anything of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        guards = list(_guards(self.dependant))
        limit = getattr(self.endpoint, _ATTRIBUTE, LARGEST_BODY)

        async def handle(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            request.scope[_LIMIT] = limit
            return await inner(request)

        return handle


def _guards(dependant: Dependant) -> Iterator[Requires]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requires):
            yield dependency.call
        yield from _guards(dependency)


class _BodyRefused(HTTPException):
    """Carries the problem through FastAPI, which makes a 400 of everything else that a body's reading raises."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status)
        self.problem = problem


class FrontDoor:
    """Counts who is inside, and gives every request its bounded body."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        self._most = settings.most_requests
        self._silent = settings.body_silent_seconds
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most and scope["path"] not in _HEALTH:
            await respond(Busy(headers={"Retry-After": "1"}))(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, _Body(scope, receive, self._silent).receive, send)
        finally:
            self._inside -= 1


class _Body:
    """The body of one request as it comes in. Starlette's own limit answers in plain text, and where a 401 is due."""

    __slots__ = ("_bytes", "_ended", "_receive", "_scope", "_silent", "_since")

    def __init__(self, scope: Scope, receive: Receive, silent: float) -> None:
        self._silent = silent
        self._scope = scope
        self._receive = receive
        self._bytes = 0
        self._since = 0.0
        self._ended = False

    async def receive(self) -> Message:
        if self._ended:  # what comes now is the disconnection, however late
            return await self._receive()
        if not self._since:
            self._since = clock.monotonic()
            self._refuse_when_announced_too_large()
        try:
            async with asyncio.timeout(self._silent):
                message = await self._receive()
        except TimeoutError:
            raise _BodyRefused(RequestTooSlow(f"nothing came for {self._silent:.0f} seconds", headers=_CLOSE)) from None
        self._count(message)
        return message

    def _count(self, message: Message) -> None:
        self._bytes += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        limit = self._scope.get(_LIMIT, LARGEST_BODY)
        if limit is not None and self._bytes > limit:
            raise _BodyRefused(_too_large(limit))
        if not self._ended and clock.monotonic() - self._since > GRACE_SECONDS + self._bytes / SLOWEST_RATE:
            raise _BodyRefused(RequestTooSlow(f"under {SLOWEST_RATE} bytes a second", headers=_CLOSE))

    def _refuse_when_announced_too_large(self) -> None:
        limit = self._scope.get(_LIMIT, LARGEST_BODY)
        announced = next((value for name, value in self._scope["headers"] if name == b"content-length"), b"0")
        if limit is not None and announced.isdigit() and int(announced) > limit:
            raise _BodyRefused(_too_large(limit))


_CLOSE = {"Connection": "close"}


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"at most {limit} bytes")


def install(app: FastAPI) -> None:
    """Maps what a body's reading refuses to its problem."""

    @app.exception_handler(_BodyRefused)
    async def _refused(_: Request, error: _BodyRefused) -> Response:
        return respond(error.problem)
