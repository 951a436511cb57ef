"""How long Login with Amazon is left in peace after it has failed, and what callers are told meanwhile. Pure."""

import math
from datetime import timedelta

from auth_service.lwa import AppRefused, LwaUnavailable
from common.contracts.connections import Region

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
# Failures in a row that are told apart: after them the pause grows no more.
MOST_FAILURES = 7


def pause_after(failures: int) -> timedelta:
    """After so many failures in a row (from 1): a second that doubles to a minute."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(failures, MOST_FAILURES) - 1))


def retry_after(pause: timedelta) -> dict[str, str]:
    """The header that says when to ask again."""
    return {"Retry-After": str(max(1, math.ceil(pause.total_seconds())))}


def problem(region: Region, app_refusal: str | None, pause: timedelta) -> LwaUnavailable | AppRefused:
    """What the last try ended with: Amazon's word for refusing our app, or None when it gave no usable answer."""
    headers = retry_after(pause)
    if app_refusal is not None:
        return AppRefused(region, app_refusal, headers=headers)
    return LwaUnavailable(f"it did not a moment ago; it is asked again in {headers['Retry-After']} s", headers=headers)
