"""The one way to treat what others sent us: an odd item is set aside with its reason and never stops its neighbours.

A page is one transaction. When an item makes it fail, each item has its own savepoint (`all_or_each`), and what failed
is kept with its `Failure` in the same transaction. It is tried again by its own next attempt (`attempts.Patience`),
those that are due longest first and so many per run; in the end it is parked and `alarm` calls for a person.

Not every failure is an item's fault: while the database or Amazon is away, or another worker has taken the run over,
nothing is set aside (`is_the_items_fault`)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.errors import (
    AmazonError,
    AmazonNotFound,
    AmazonUnavailable,
    InvalidInput,
    MalformedAnswer,
    OutcomeUnknown,
)
from common.crypto import KeyLost
from common.db import is_transient
from common.errors import Problem
from common.jobs import RunFailed, RunLater, RunWaits, StaleWorker
from common.telemetry import stack_of

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger()

parked_items = Counter("entrepot_parked_items", "Items that failed so often that a person is asked", ["kind"])

# What PostgreSQL says of a row: a repeated one, a value out of range or form, a broken constraint, too long for an
# index. Any other state (no such table, read-only, disk full) is the same for every row.
_OF_A_ROW = ("21", "22", "23", "54")
_OF_THE_RUN = (StaleWorker, RunFailed, RunLater, RunWaits, KeyLost, MemoryError)
# The other errors of Amazon's speak of the seller, its grant or our allowance.
_OF_ONE_REQUEST = (AmazonNotFound, InvalidInput, MalformedAnswer, AmazonUnavailable, OutcomeUnknown)


@dataclass(frozen=True, slots=True)
class Failure(Generic[T]):
    """An item and why it could not be treated. `code` is stable; neither text holds a value of the item."""

    item: T
    code: str
    detail: str


async def all_or_each(
    session: AsyncSession, items: Sequence[T], act: Callable[[AsyncSession, Sequence[T]], Awaitable[R]]
) -> tuple[list[R], list[Failure[T]]]:
    """Has `act` treat all items in one savepoint; when that fails, each item alone in its own.

    Answers what `act` answered (once for all, or once for each that went in) and the failures, in the items' order.
    Raises what is no item's fault; the caller's transaction then writes nothing. `act` keeps nothing outside of
    the session, since it may be called again for the same items.
    """
    if not items:
        return [], []
    try:
        return [await _apart(session, items, act)], []
    except Exception as error:
        if not is_the_items_fault(error):
            raise
        if len(items) == 1:
            return [], [_failure(items[0], error)]
    done: list[R] = []
    failures: list[Failure[T]] = []
    for item in items:
        try:
            done.append(await _apart(session, [item], act))
        except Exception as error:
            if not is_the_items_fault(error):
                raise
            failures.append(_failure(item, error))
    return done, failures


async def _apart(
    session: AsyncSession, items: Sequence[T], act: Callable[[AsyncSession, Sequence[T]], Awaitable[R]]
) -> R:
    async with session.begin_nested():
        return await act(session, items)


def is_the_items_fault(error: Exception) -> bool:
    """Whether the error is of the item at hand; if not, the same would happen to its neighbours too."""
    if isinstance(error, _OF_THE_RUN) or is_transient(error):
        return False
    if isinstance(error, DBAPIError):
        return _sqlstate(error).startswith(_OF_A_ROW)
    if isinstance(error, SQLAlchemyError):
        return False
    if isinstance(error, AmazonError):
        return isinstance(error, _OF_ONE_REQUEST)
    return True


def is_unanswered(error: Exception) -> bool:
    """Whether Amazon gave no answer of use: one item's trouble, or Amazon's when several in a row have it."""
    return isinstance(error, AmazonUnavailable | OutcomeUnknown)


def _failure(item: T, error: Exception) -> Failure[T]:
    code, detail = reason_of(error)
    log.warning("item_set_aside", error_code=code, reason=detail, stack=stack_of(error))
    return Failure(item, code, detail)


def reason_of(error: Exception) -> tuple[str, str]:
    """Code and detail of a failure, fit for a log and for the item's owner: an unforeseen error's text may quote the
    item, so only its kind is told."""
    if isinstance(error, Problem):
        return error.slug, error.detail or error.title
    if isinstance(error, AmazonUnavailable | OutcomeUnknown):
        return "unanswered", str(error)
    if isinstance(error, AmazonNotFound):
        return "not_found", "Amazon does not have it"
    if isinstance(error, InvalidInput):
        return "amazon_refused", str(error)
    if isinstance(error, MalformedAnswer):
        return "malformed", str(error)
    if isinstance(error, DBAPIError):
        return "not_storable", f"the database refuses it (SQLSTATE {_sqlstate(error)})"
    return "unexpected", f"it cannot be treated ({type(error).__name__})"


def alarm(kind: str, code: str, **ids: UUID | str | None) -> None:
    """Calls for a person: an item of this kind has had its tries. `ids` name it and hold nothing of a buyer."""
    parked_items.labels(kind).inc()
    named = {name: None if value is None else str(value) for name, value in ids.items()}
    log.error("item_parked", kind=kind, error_code=code, **named)


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or "")
