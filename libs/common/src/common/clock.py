"""The only source of time: aware UTC. Tests may let it follow the local Amazon's clock by an offset."""

from datetime import UTC, datetime, timedelta

_offset = timedelta()


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC) + _offset


def shift(offset: timedelta) -> None:
    """Moves this process's clock; `app` calls it only when the settings allow it (never in production)."""
    global _offset  # one clock per process is the point
    _offset = offset
