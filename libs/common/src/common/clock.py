"""The only source of time: aware UTC, and a monotonic one for how long something holds.

In tests and development both can follow another clock: `common.followed_clock`.
"""

import time
from datetime import UTC, datetime, timedelta

_ahead = timedelta(0)
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC) + _ahead


def monotonic() -> float:
    """Seconds at the pace of `now`; they compare with each other and with nothing else."""
    return time.monotonic() + _ahead.total_seconds()


def elapsed() -> float:
    """Seconds of the machine's own, its sleep included where the system counts it; never moved. For leases: whoever
    takes one over goes by another machine's clock."""
    return time.clock_gettime(_ELAPSED)


def ahead() -> timedelta:
    """By how much this process's clock is ahead of the machine's: nothing, unless it follows another."""
    return _ahead


def set_ahead(by: timedelta) -> None:
    """Moves this process's clock; `timedelta(0)` is the machine's own time."""
    global _ahead
    _ahead = by
