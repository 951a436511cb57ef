"""Named outcomes that a caller sees as RFC 9457 problem+json: a stable type, what was wrong, where, and the fix.

Problem
├── InvalidRequest     400  a field is wrong; `errors` says which
├── Unauthenticated    401  no valid token
├── Forbidden          403  the token lacks a scope
├── NotFound           404  no such thing in this account
├── Conflict           409  the state does not allow it
├── TooManyRequests    429  an allowance of ours is used up; Retry-After says when there is more
└── Unavailable        503  a part we need is away; Retry-After says when to try again
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from common.db import is_transient
from common.telemetry import stack_of

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Problem(Exception):
    """An outcome with an HTTP status. Subclasses say it once, beside the rule that raises them.

    `errors` are the places that are wrong, each {where, detail, rule}.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    fix: ClassVar[str] = ""

    def __init__(
        self,
        detail: str = "",
        *,
        where: str = "",
        fix: str = "",
        errors: Iterable[dict[str, str]] = (),
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = list(errors)
        self.where = where or (self.errors[0]["where"] if len(self.errors) == 1 else "")
        self.how = fix or self.fix
        self.headers = headers
        self.extra = extra

    def body(self) -> dict[str, Any]:
        document: dict[str, Any] = {"type": problem_type(self), "title": self.title, "status": self.status}
        said = {"detail": self.detail, "where": self.where, "fix": self.how, "errors": self.errors}
        return document | {name: value for name, value in said.items() if value} | self.extra


def problem_type(problem: Problem | type[Problem]) -> str:
    """The stable `type` by which programs tell problems apart."""
    return f"/problems/{problem.slug}"


class InvalidRequest(Problem):
    status, slug, title = 400, "invalid-request", "The request is not valid"


class UnreadableBody(InvalidRequest):
    slug, title = "unreadable-body", "The body cannot be read"
    fix = "Send JSON in UTF-8 with `Content-Type: application/json`"


class Unauthenticated(Problem):
    status, slug, title = 401, "unauthenticated", "No valid token"
    fix = "Send `Authorization: Bearer <token>`; exchange an API key for a token at POST /v1/token of the auth service"

    def __init__(self, detail: str = "", **more: Any) -> None:
        super().__init__(detail, **({"headers": {"WWW-Authenticate": "Bearer"}} | more))


class Forbidden(Problem):
    status, slug, title = 403, "missing-scope", "The token does not allow this"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "No such thing in this account"


class NoSuchRoute(NotFound):
    slug, title = "no-such-route", "This service has no such path"
    fix = "See /docs of this service"


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This path does not take this method"
    fix = "Use one of the methods in `Allow`"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "The current state does not allow this"


class ConnectionNotActiveProblem(Conflict):
    slug, title = "connection-not-active", "The connection may not call Amazon"
    fix = "Finish its consent, or enable it; see GET /v1/connections of the auth service"


class TooManyRequests(Problem):
    status, slug, title = 429, "too-many-requests", "The allowance for this is used up"
    fix = "Try again after the seconds in `Retry-After`"


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "A part we need does not answer"


class DatabaseUnavailable(Unavailable):
    slug, title = "database-unavailable", "The database does not answer"
    fix = "Try again; nothing was changed"


def respond(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Maps every exception to problem+json, in this one place."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> JSONResponse:
        return respond(problem)

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        # The given values stay out: they may be secrets or personal data.
        errors = [{"where": _place(e["loc"]), "detail": e["msg"], "rule": e["type"]} for e in error.errors()]
        return respond(InvalidRequest(f"{len(errors)} field(s) are wrong", errors=errors))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return respond(_of_http(request, error))

    @app.exception_handler(SQLAlchemyError)
    async def _database(_: Request, error: SQLAlchemyError) -> JSONResponse:
        return _unexpected(error)

    @app.exception_handler(Exception)
    async def _any(_: Request, error: Exception) -> JSONResponse:
        return _unexpected(error)


_LONGEST_PLACE = 200


def _place(location: Iterable[Any]) -> str:
    """A place as `body.items.3.sku`; names of fields that the sender made up are shown as far as they are text."""
    place = ".".join(map(str, location))[:_LONGEST_PLACE]
    return place.encode("utf-8", "replace").decode()


def _of_http(request: Request, error: HTTPException) -> Problem:
    match error.status_code:
        case 404:
            return NoSuchRoute()
        case 405:
            allowed = allowed_methods(request)
            return MethodNotAllowed(headers={"Allow": ", ".join(allowed)})
        case 400:
            return UnreadableBody(errors=[{"where": "body", "detail": "is no JSON in UTF-8", "rule": "json_invalid"}])
    problem = Problem(str(error.detail), headers=dict(error.headers or {}))
    problem.status, problem.slug, problem.title = error.status_code, "http-error", "HTTP error"  # type: ignore[misc]
    return problem


def allowed_methods(request: Request) -> list[str]:
    """Every method that the path takes, by whichever route. A GET can always be asked for as HEAD."""
    scope = {"type": "http", "path": request.scope["path"], "root_path": request.scope.get("root_path", "")}

    def taken(method: str) -> bool:
        routes = request.app.router.routes
        return any(route.matches(scope | {"method": method, "headers": []})[0] is Match.FULL for route in routes)

    found = [method for method in METHODS if taken(method)]
    return found if "GET" not in found or "HEAD" in found else [*found[:1], "HEAD", *found[1:]]


def _unexpected(error: Exception) -> JSONResponse:
    return respond(problem_of(error))


def problem_of(error: Exception) -> Problem:
    """What an exception is to its caller; one that nobody foresaw is logged."""
    if isinstance(error, Problem):
        return error
    if is_transient(error):
        log.warning("request_without_database", reason=type(error).__name__)
        return DatabaseUnavailable(headers={"Retry-After": "1"})
    log.error("request_failed", reason=type(error).__name__, stack=stack_of(error))
    return Problem()
