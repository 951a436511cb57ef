"""The only source of time: aware UTC, and a monotonic one for how long something holds.

In tests and development both can follow another clock: `common.followed_clock`.
"""

import time
from datetime import UTC, datetime, timedelta

_ahead = timedelta(0)


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC) + _ahead


def monotonic() -> float:
    """Seconds at the pace of `now`; they compare with each other and with nothing else."""
    return time.monotonic() + _ahead.total_seconds()


def ahead() -> timedelta:
    """By how much this process's clock is ahead of the machine's: nothing, unless it follows another."""
    return _ahead


def set_ahead(by: timedelta) -> None:
    """Moves this process's clock; `timedelta(0)` is the machine's own time."""
    global _ahead
    _ahead = by
