"""Times that others tell. At the edge of the calendar a time has no UTC, so no column, cursor or token holds it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

FIRST_YEAR, LAST_YEAR = 2000, 2200


def moment_problem(at: datetime) -> str | None:
    """What is wrong with a time; None when it can be kept and compared."""
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        return f"its year is not between {FIRST_YEAR} and {LAST_YEAR}"
    if at.tzinfo is None:
        return "has no UTC offset"
    return None


def digits_in_utc(at: datetime) -> datetime:
    """The digits of a time that is refused, for showing it: without its offset every column holds it."""
    return at.replace(tzinfo=UTC)


def _checked(at: datetime) -> datetime:
    if problem := moment_problem(at):
        raise ValueError(problem)
    return at


def _no_number(given: Any) -> Any:
    """A number is a count of seconds or of milliseconds, depending on who reads it."""
    if isinstance(given, int | float) or (isinstance(given, str) and "-" not in given[1:]):
        raise ValueError("a time is written as RFC 3339 has it, such as 2026-12-01T10:00:00Z")
    return given


def _checked_in_utc(at: datetime) -> datetime:
    return _checked(at if at.tzinfo else at.replace(tzinfo=UTC))


# An RFC 3339 time with its offset.
Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_checked)]
# The same where the offset was never asked for: without one it is UTC.
MomentOrUtc = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_checked_in_utc)]
