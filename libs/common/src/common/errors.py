"""Named outcomes that a caller sees as RFC 9457 problem+json: a stable type, what was wrong, where, and the fix.

Problem
├── InvalidRequest     400  a field is wrong; `errors` says which
├── Unauthenticated    401  no valid token
├── Forbidden          403  the token lacks a scope
├── NotFound           404  no such thing in this account
├── Conflict           409  the state does not allow it
└── Unavailable        503  a part we need is away; Retry-After says when to try again
"""

from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from common.db import is_transient

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An outcome with an HTTP status. Subclasses say it once, beside the rule that raises them."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    fix: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, fix: str = "", headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.how = fix or self.fix
        self.headers = headers
        self.extra = extra

    def body(self) -> dict[str, Any]:
        document: dict[str, Any] = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        if self.how:
            document["fix"] = self.how
        return document | self.extra


class InvalidRequest(Problem):
    status, slug, title = 400, "invalid-request", "The request is not valid"


class Unauthenticated(Problem):
    status, slug, title = 401, "unauthenticated", "No valid token"
    fix = "Send `Authorization: Bearer <token>`; exchange an API key for a token at POST /v1/token of the auth service"


class Forbidden(Problem):
    status, slug, title = 403, "missing-scope", "The token does not allow this"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "No such thing in this account"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "The current state does not allow this"


class ConnectionNotActiveProblem(Conflict):
    slug, title = "connection-not-active", "The connection may not call Amazon"
    fix = "Finish its consent, or enable it; see GET /v1/connections of the auth service"


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
        errors = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"], "rule": e["type"]} for e in error.errors()]
        return respond(InvalidRequest(f"{len(errors)} field(s) are wrong", errors=errors))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        slug = {404: "no-such-route", 405: "method-not-allowed"}.get(error.status_code, "http-error")
        body = {"type": f"/problems/{slug}", "title": str(error.detail), "status": error.status_code}
        return JSONResponse(body, error.status_code, headers=error.headers, media_type=MEDIA_TYPE)

    @app.exception_handler(SQLAlchemyError)
    async def _database(_: Request, error: SQLAlchemyError) -> JSONResponse:
        return _unexpected(error)

    @app.exception_handler(Exception)
    async def _any(_: Request, error: Exception) -> JSONResponse:
        return _unexpected(error)


def _unexpected(error: Exception) -> JSONResponse:
    return respond(problem_of(error))


def problem_of(error: Exception) -> Problem:
    """What an exception is to its caller; one that nobody foresaw is logged."""
    if isinstance(error, Problem):
        return error
    if is_transient(error):
        log.warning("request_without_database", reason=type(error).__name__)
        return DatabaseUnavailable(headers={"Retry-After": "1"})
    log.error("request_failed", reason=type(error).__name__, exc_info=error)
    return Problem()
