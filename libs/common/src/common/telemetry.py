"""JSON logs with a correlation id that follows a request through HTTP and Kafka, and redaction at the sink."""

import logging
import random
import re
import sys
import traceback
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

CORRELATION_HEADER = "x-correlation-id"
REDACTED = "[redacted]"

_correlation: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

# Names of things that are never logged, whoever passes them: secrets first (a `code` may be OAuth's, and what ends in
# one as well, but for the names below), then what describes a buyer.
_SECRET_NAMES = re.compile(
    r"token|secret|password|authorization|cookie|api_?key|code$|buyer|recipient|address|phone|email|postal|gift_?message",
    re.IGNORECASE,
)
_CODES = frozenset({"error_code", "status_code", "amazon_code"})
# Values that give themselves away inside a text: OAuth codes in a query, LWA tokens, our keys, JWTs and bearer headers.
_SECRET_VALUES = re.compile(
    r"((?<=code=)[^\s&\"']+|Atz[ar]\|[^\s\"']+|ent_[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+|[Bb]earer\s+\S+)"
)


def correlation_id() -> str | None:
    """The correlation id of the work at hand."""
    return _correlation.get()


def correlate(given: str | None = None) -> str:
    """Continues the given correlation (when it is well-formed) or starts one; answers it."""
    current = given if given and _ACCEPTED_ID.match(given) else _new_id()
    _correlation.set(current)
    return current


def _new_id() -> str:
    # Nobody needs it to be unguessable, and asking the system for randomness costs more than a request's other parts.
    return f"{random.getrandbits(128):032x}"


def stack_of(error: BaseException) -> str:
    """Where it happened, for a log: our own lines, without the error's text, which may quote what others sent."""
    return "".join(traceback.format_tb(error.__traceback__))


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Removes secrets and people's data by the name they are logged under and by their looks."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name) and name not in _CODES and name != "event":
        return REDACTED
    if isinstance(value, str):
        return _SECRET_VALUES.sub(REDACTED, value)
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    return value


def _add_correlation(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if current := _correlation.get():
        event["correlation_id"] = current
    return event


def configure(service: str, level: str = "INFO") -> None:
    """Sends every log line, ours and the libraries', to stdout as one JSON object."""

    def name_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        _add_correlation,
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
