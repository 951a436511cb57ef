"""What travels: JSON both ways, the answer each handler returns, and the errors that end a request early."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import msgspec

# Prices stay exact both ways: JSON numbers are read as Decimal and written back with the same digits.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")

JSON = b"application/json"

encode = _ENCODER.encode


def decode(body: bytes) -> Any:
    """The JSON value in `body`; ValueError whatever is wrong with it, too deep nesting and too big numbers included."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, ArithmeticError, RecursionError) as error:
        raise ValueError(str(error)) from error


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer, and the effect that makes it true.

    Handlers check and describe; whoever answers applies `effect`. That is how a fault can drop an answer
    whose effect took place, or give the answer of an effect that never did.
    """

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    effect: Callable[[], None] | None = None
    pieces: AsyncIterator[bytes] | None = None  # a body that is made while it is sent, in place of `body`


def json_answer(document: object, status: int = 200, effect: Callable[[], None] | None = None) -> Answer:
    return Answer(status, encode(document), effect=effect)


class SpApiError(Exception):
    """A refusal in SP-API's shape: `{"errors": [{"code", "message", "details"}]}` (FACTS 3.6)."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def answer(self) -> Answer:
        error = {"code": self.code, "message": self.message, "details": self.details}
        headers = ((b"x-amzn-errortype", b"TooManyRequestsException"),) if self.status == 429 else ()
        return Answer(self.status, encode({"errors": [error]}), headers=headers)


def invalid_input(message: str, details: str = "") -> SpApiError:
    return SpApiError(400, "InvalidInput", message, details)


_ERRORS = {
    400: ("InvalidInput", "Invalid Input"),
    401: ("Unauthorized", "Access to requested resource is denied."),
    403: ("Unauthorized", "Access to requested resource is denied."),
    404: ("NotFound", "The requested resource does not exist."),
    413: ("RequestTooLarge", "The request size exceeded the maximum accepted size."),
    415: ("UnsupportedMediaType", "The request payload is in an unsupported format."),
    429: ("QuotaExceeded", "You exceeded your quota for the requested resource."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
}
_FAILURE = ("InternalFailure", "We encountered an internal error. Please try again.")


def error_of(status: int, details: str = "") -> SpApiError:
    """What Amazon says with this status when nothing better is known (FACTS 3.8)."""
    return SpApiError(status, *_ERRORS.get(status, _FAILURE), details)


def unauthorized(details: str) -> SpApiError:
    """FACTS 3.8: missing, expired, revoked, foreign: all are 403 with one message."""
    return error_of(403, details)


def quota_exceeded(limit: str | None = None) -> SpApiError:
    """FACTS 3.4: no rate header, no Retry-After. `limit`: which of the app's limits it was (FACTS 3.5)."""
    if limit is None:
        return error_of(429)
    which = limit if limit in ("relationships", "product data") else "the application"
    return SpApiError(429, "QuotaExceeded", f"The frequency of requests was greater than what is allowed for {which}.")
