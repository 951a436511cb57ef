"""Follows the clock of the local Amazon, which a dial moves: 30 days, token lives and quotas pass in milliseconds.

For tests and development: `CLOCK_URL` is refused in production.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from common import clock, http

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.05
# Less is the way of the answer and the milliseconds it was rounded to: following that, our time would jitter.
_NOTICEABLE = timedelta(seconds=1)


async def follow(client: http.AsyncClient, url: str) -> None:
    """Follows the clock at `url`, which answers `{"now": ISO 8601}`, until cancelled, then the machine's."""
    try:
        while True:
            await adopt(client, url)
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        clock.set_ahead(timedelta(0))


async def adopt(client: http.AsyncClient, url: str) -> bool:
    """Takes over the time that `url` tells now; False when it tells none, and then ours goes on as it was."""
    try:
        answer = await client.get(url)
        ahead = datetime.fromisoformat(answer.json()["now"]) - datetime.now(UTC)
    except (http.NotSent, http.OutcomeUnknown, ValueError, KeyError, TypeError) as error:
        log.warning("clock_not_followed", reason=type(error).__name__)
        return False
    if abs(ahead - clock.ahead()) >= _NOTICEABLE:
        clock.set_ahead(ahead if abs(ahead) >= _NOTICEABLE else timedelta(0))
    return True
