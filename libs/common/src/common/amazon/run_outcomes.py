"""What an error of Amazon's means for the run that met it: it waits, and for what, or it has failed. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.amazon.errors import (
    AccessDenied,
    AccessTokenUnavailable,
    AmazonError,
    AmazonNotFound,
    ConnectionNotActive,
    ConnectionRevoked,
    InvalidInput,
    MalformedAnswer,
    Throttled,
)
from common.jobs import RunFailed, RunWaits

AUTHORIZE_AGAIN = "Enable the connection if it is disabled, else authorize it again; the run then goes on by itself"
BY_ITSELF = "Nothing needs to be done: the run goes on by itself"


@contextmanager
def outcomes() -> Iterator[None]:
    """Turns an error of Amazon's into the run's outcome."""
    try:
        yield
    except AmazonError as error:
        raise outcome(error) from error


def outcome(error: AmazonError) -> RunFailed | RunWaits:
    """A run waits for what passes by itself and for what people set right; it fails when the request itself is bad."""
    match error:
        case Throttled():
            return RunWaits("amazon_throttles", str(error), fix=BY_ITSELF, seconds=error.retry_after)
        case ConnectionRevoked() | ConnectionNotActive():
            return RunWaits("connection_not_active", str(error), fix=AUTHORIZE_AGAIN)
        case AccessDenied():
            fix = "Give the application the role that this call needs, then authorize the connection again"
            return RunWaits("access_denied", str(error), fix=fix, amazon_code=error.code)
        case AccessTokenUnavailable():
            fix = "Look at the auth service's /readyz; the run goes on by itself"
            return RunWaits("auth_away", str(error), fix=fix, seconds=1.0)
        case MalformedAnswer():
            return RunWaits("amazon_answers_nonsense", str(error), fix=BY_ITSELF, seconds=5.0)
        case InvalidInput() | AmazonNotFound():
            said = getattr(error, "message", "")
            return RunFailed("amazon_refused", f"{error}: {said}" if said else str(error), amazon_code=error.code)
        case _:
            return RunWaits("amazon_away", str(error), fix=BY_ITSELF, seconds=2.0)
