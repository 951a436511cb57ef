"""The sandbox's only source of time: real time plus an offset that a dial moves forward."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import lru_cache

SECOND_MS = 1000
HOUR_MS = 3600 * SECOND_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_FARTHEST_ADVANCE_S = 10 * 366 * 24 * 3600


class Clock:
    """Milliseconds since the epoch, UTC; it can be advanced and never goes back."""

    def __init__(self) -> None:
        self._offset_ms = 0
        self._date_second = -1
        self._date_header = b""

    def __getstate__(self) -> int:
        """A clock that is put back goes on from where it was: no time passes between."""
        return self.now_ms()

    def __setstate__(self, now_ms: int) -> None:
        self.__init__()  # type: ignore[misc]
        self._offset_ms += now_ms - self.now_ms()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._offset_ms

    def advance(self, seconds: float) -> None:
        if not 0 <= seconds <= _FARTHEST_ADVANCE_S:
            raise ValueError("the sandbox clock moves forward, ten years at most")
        self._offset_ms += round(seconds * SECOND_MS)

    def date_header(self) -> bytes:
        """The HTTP `Date`: clients take Amazon's time from it (PAINS 9), so it follows the moved clock."""
        second = self.now_ms() // SECOND_MS
        if second != self._date_second:
            self._date_second = second
            self._date_header = formatdate(second, usegmt=True).encode()
        return self._date_header


@lru_cache(maxsize=8192)
def iso(moment_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds, as Amazon writes it (FACTS 8.2.5)."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """Milliseconds of an ISO 8601 time; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds < _LAST_MS:
        raise ValueError(f"{text} is not a time between 1970 and 9999")
    return milliseconds
