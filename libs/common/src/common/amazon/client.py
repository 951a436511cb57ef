"""One call to Amazon: a token of the bucket, a token of the seller, the request, retries, a typed answer or error."""

import platform
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, cast
from urllib.parse import quote

import msgspec
import stamina
import structlog
from prometheus_client import Counter

from common import clock, http
from common.amazon.access import AccessTokens, Seller
from common.amazon.errors import (
    AccessDenied,
    AmazonError,
    AmazonUnavailable,
    MalformedAnswer,
    OutcomeUnknown,
    Throttled,
    first_fault,
    refusal,
)
from common.amazon.limits import Limits
from common.amazon.marketplaces import REGIONS
from common.amazon.operations import Operation
from common.contracts.connections import Region

__all__ = ["AmazonClient", "Fence", "Seller", "Unread", "encode"]

T = TypeVar("T")
Fence = Callable[[], None]

log = structlog.get_logger(__name__)

CALLS = Counter("entrepot_amazon_calls", "Calls to Amazon by operation and status", ["operation", "status"])

_USER_AGENT = f"Entrepot/0.1 (Language=Python/{platform.python_version()})"  # the form of FACTS 2.3.5
_LONGEST_BACKOFF = 10.0
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def encode(body: Any) -> bytes:
    """A request's body as JSON; a Decimal becomes a number with exactly its digits (FACTS 5.3.4)."""
    return _encoder.encode(body)


@dataclass(frozen=True, slots=True)
class Unread:
    """The body of a success as it came, for an operation that reads it item by item."""

    body: bytes = field(repr=False)
    request_id: str | None


class AmazonClient:
    """Amazon's Selling Partner API for all sellers of this service; safe to share between tasks.

    `app_ids`: the application's id per region, which is what Amazon's limits hang on. `endpoints`: base URL per region
    where it is not production's. `max_wait`: seconds a call may wait for a token before it raises `Throttled`, so that
    its job can be rescheduled. Up to `attempts` tries; between them full jitter up to `backoff` x 2^n seconds.
    """

    def __init__(
        self,
        http_client: http.AsyncClient,
        access: AccessTokens,
        limits: Limits,
        *,
        app_ids: Mapping[Region, str],
        endpoints: Mapping[Region, str] | None = None,
        max_wait: float = 5.0,
        attempts: int = 4,
        backoff: float = 0.5,
        total_timeout: float = 90.0,
    ) -> None:
        self._http = http_client
        self._access = access
        self._limits = limits
        self._app_ids = app_ids
        origins = {region: entry.endpoint for region, entry in REGIONS.items()} | dict(endpoints or {})
        self._origins = {region: http.URL(origin) for region, origin in origins.items()}
        self._max_wait = max_wait
        self._attempts = attempts
        self._backoff = backoff
        self._budget = _RetryBudget()
        timeout = http_client.timeout
        self._timeout = {"connect": timeout.connect, "read": timeout.read, "total": total_timeout}

    async def call(
        self,
        operation: Operation,
        seller: Seller,
        *,
        into: type[T],
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_wait: float | None = None,
        fence: Fence | None = None,
    ) -> T:
        """Calls `operation` and reads its answer as `into` (`type(None)` for one without a body, `Unread` as it came).

        Values of `path` and `query` are given as they are; they are percent-encoded in full here (FACTS 5.1.1).
        `fence` is called when the bytes of an attempt are about to leave; what it raises is raised, nothing is sent.
        Raises one of `common.amazon.errors`; a repeatable call has then been tried `attempts` times.
        """
        target = _target(operation, path, query)
        wait = self._max_wait if max_wait is None else max_wait
        self._budget.call_made()
        try:
            answer = await self._attempt(operation, seller, target, body, wait, fence)
        except AmazonError as error:
            answer = await self._retry(error, operation, seller, target, body, wait, fence)
        if into is type(None):
            return None
        request_id = answer.headers.get("x-amzn-requestid")
        if into is Unread:
            return cast(T, Unread(answer.content, request_id))
        value, wrong = _decode(answer.content, into)
        if value is None:
            raise MalformedAnswer(operation.name, status=answer.status_code, request_id=request_id, reason=wrong)
        return value

    async def _retry(
        self,
        first: AmazonError,
        operation: Operation,
        seller: Seller,
        target: bytes,
        body: bytes | None,
        max_wait: float,
        fence: Fence | None,
    ) -> http.Response:
        """Goes on after a first failure. Apart from the first attempt because most calls need no second."""
        tries = 0

        def backoff(error: Exception) -> bool | float:
            nonlocal tries
            tries += 1
            if not _may_repeat(error, operation) or not self._budget.take():
                return False
            return random.uniform(0, min(_LONGEST_BACKOFF, self._backoff * 2**tries))  # noqa: S311 - jitter, no secret

        failed: AmazonError | None = first
        async for attempt in stamina.retry_context(on=backoff, attempts=self._attempts, timeout=None):
            with attempt:
                if failed is not None:
                    error, failed = failed, None
                    raise error
                return await self._attempt(operation, seller, target, body, max_wait, fence)
        raise AssertionError("stamina returns, or raises the last error")

    async def _attempt(
        self,
        operation: Operation,
        seller: Seller,
        target: bytes,
        body: bytes | None,
        max_wait: float,
        fence: Fence | None,
    ) -> http.Response:
        token = await self._access.get(seller)
        try:
            return await self._send(operation, seller, target, body, max_wait, fence, token)
        except AccessDenied:
            another = await self._access.refused(seller, token)
            if another == token:
                raise
        return await self._send(operation, seller, target, body, max_wait, fence, another)

    async def _send(
        self,
        operation: Operation,
        seller: Seller,
        target: bytes,
        body: bytes | None,
        max_wait: float,
        fence: Fence | None,
        token: str,
    ) -> http.Response:
        app_id = self._app_ids[seller.region]
        wait = await self._limits.take(operation, app_id, seller, max_wait=max_wait)
        if wait:
            raise Throttled(operation.name, retry_after=wait)
        headers = {
            "x-amz-access-token": token,
            "x-amz-date": clock.now().strftime("%Y%m%dT%H%M%SZ"),
            "user-agent": _USER_AGENT,
            "accept": "application/json",
            "accept-encoding": "gzip",
        }
        if body is not None:
            headers["content-type"] = "application/json"
        request = http.Request(
            operation.method,
            self._origins[seller.region],
            headers=headers,
            content=body,
            extensions={"timeout": self._timeout, "target": target, "fence": fence},
        )
        try:
            answer = await self._http.send(request)
        except http.NotSent as cause:
            _failed(operation, seller, "not_sent", str(cause))
            raise AmazonUnavailable(operation.name, reason="not sent") from cause
        except http.OutcomeUnknown as cause:
            _failed(operation, seller, "unknown", str(cause))
            raise OutcomeUnknown(operation.name) from cause
        await self._limits.learn(operation, app_id, seller, answer.headers.get("x-amzn-ratelimit-limit"))
        if answer.is_success:
            _counter(operation.name, str(answer.status_code)).inc()
            return answer
        raise await self._error(operation, seller, app_id, answer)

    async def _error(self, operation: Operation, seller: Seller, app_id: str, answer: http.Response) -> AmazonError:
        fault = first_fault(answer.content)
        request_id = answer.headers.get("x-amzn-requestid")
        status = answer.status_code
        _failed(operation, seller, str(status), fault.code, request_id)
        if status == 429:
            # Since 2025-06 the message names the limit that was hit (FACTS 3.5).
            by_application = operation.application_rate is not None and "application" in (fault.message or "").lower()
            wait = await self._limits.throttled(operation, app_id, seller, by_application=by_application)
            return Throttled(operation.name, retry_after=wait, status=429, code=fault.code, request_id=request_id)
        if status < 500:
            return refusal(operation.name, status, fault, request_id)
        if not operation.idempotent:
            return OutcomeUnknown(operation.name, status=status, request_id=request_id)
        return AmazonUnavailable(operation.name, status=status, code=fault.code, request_id=request_id)


def _may_repeat(error: Exception, operation: Operation) -> bool:
    match error:
        case OutcomeUnknown():
            return operation.idempotent
        case Throttled():
            # Our own bucket has already made the call wait as long as it may; Amazon's 429 emptied it, so the next
            # attempt waits for a token.
            return error.status == 429
        case _:
            return isinstance(error, AmazonUnavailable)


class _RetryBudget:
    """Retries may be a tenth of the calls, and ten more: a storm of failures is not answered by a storm (F11)."""

    def __init__(self) -> None:
        self._left = 10.0

    def call_made(self) -> None:
        self._left = min(self._left + 0.1, 100.0)

    def take(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _target(operation: Operation, path: Mapping[str, str] | None, query: Mapping[str, str] | None) -> bytes:
    target = operation.path
    if path:
        target = target.format_map({name: _segment(value) for name, value in path.items()})
    if query:
        target += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return target.encode("ascii")


def _segment(value: str) -> str:
    # "." and ".." would be taken for a place in the path, not for a SKU.
    return value.replace(".", "%2E") if value in (".", "..") else quote(value, safe="")


def _decode(body: bytes, into: type[T]) -> tuple[T | None, str]:
    """The body as `into`, or None and what is wrong with it. No error leaves here: theirs may quote the body."""
    decoder = _decoders.get(into)
    if decoder is None:
        decoder = _decoders[into] = msgspec.json.Decoder(into, float_hook=Decimal)
    try:
        return decoder.decode(body), ""
    except msgspec.ValidationError as error:
        return None, str(error)  # names the place and the rule, never the value
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, "not JSON"


@cache
def _counter(operation: str, status: str) -> Counter:
    return CALLS.labels(operation, status)


def _failed(
    operation: Operation, seller: Seller, status: str, code: str | None = None, request_id: str | None = None
) -> None:
    _counter(operation.name, status).inc()
    log.warning(
        "amazon_call_failed",
        operation=operation.name,
        region=seller.region,
        connection_id=str(seller.connection_id),
        status=status,
        amazon_code=code,
        amazon_request_id=request_id,
    )
