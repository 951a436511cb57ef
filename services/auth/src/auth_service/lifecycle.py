"""The states of a connection and what moves it between them, as one table. Pure."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, cast

from common.contracts.connections import (
    ConnectionAuthorized,
    ConnectionChanged,
    ConnectionDisabled,
    ConnectionEvent,
    ConnectionRevoked,
    ReauthorizationDue,
)

Status = Literal["pending", "active", "reauthorization_due", "revoked", "disabled"]
Happening = Literal[
    "authorized", "refused", "renewal_due", "disabled", "enabled", "enabled_refused", "enabled_unfinished"
]

# Calls to Amazon are made in these states only.
CALLABLE: frozenset[Status] = frozenset({"active", "reauthorization_due"})

# In the state of the row, what the column says happens: the state it becomes. A dash: nothing moves, nothing is told.
_TABLE = """
                     authorized  refused  renewal_due          disabled  enabled  enabled_refused  enabled_unfinished
pending              active      -        -                    disabled  -        -                -
active               active      revoked  reauthorization_due  disabled  -        -                -
reauthorization_due  active      revoked  -                    disabled  -        -                -
revoked              active      -        -                    disabled  -        -                -
disabled             -           -        -                    -         active   revoked          pending
"""


def _read(table: str) -> dict[tuple[Status, Happening], Status]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return {
        (cast(Status, status), cast(Happening, happening)): cast(Status, target)
        for status, *targets in rows
        for happening, target in zip(head, targets, strict=True)
        if target != "-"
    }


TRANSITIONS = _read(_TABLE)


class Telling(NamedTuple):
    """How a transition is told: the event to other services; code, words and remedy of the notification to people."""

    event: type[ConnectionEvent]
    code: str
    detail: str
    fix: str = ""


_CONSENT_AGAIN = "The seller consents again: POST /v1/connections/{id}/consent, or Re-Authorize in Seller Central"

TOLD_AS: dict[Happening, Telling] = {
    "authorized": Telling(ConnectionAuthorized, "connection-authorized", "The seller has authorised this connection"),
    "refused": Telling(
        ConnectionRevoked,
        "connection-revoked",
        "Amazon no longer accepts the seller's authorisation; nothing is sent to Amazon for this connection any more",
        _CONSENT_AGAIN,
    ),
    "renewal_due": Telling(
        ReauthorizationDue,
        "reauthorization-due",
        "The seller's authorisation ends 365 days after it was given, which is soon",
        _CONSENT_AGAIN,
    ),
    "disabled": Telling(ConnectionDisabled, "connection-disabled", "This connection was switched off"),
    "enabled": Telling(ConnectionChanged, "connection-enabled", "This connection was switched on"),
    "enabled_refused": Telling(
        ConnectionChanged,
        "connection-revoked",
        "This connection was switched on, but Amazon has refused its authorisation meanwhile",
        _CONSENT_AGAIN,
    ),
    "enabled_unfinished": Telling(
        ConnectionChanged,
        "connection-pending",
        "This connection was switched on and waits for the seller's consent",
        "Open the consent page: POST /v1/connections/{id}/consent",
    ),
}

# A public app must be re-authorised by the seller every 365 days (FACTS 2.3.4).
AUTHORIZATION_LIFE = timedelta(days=365)
RENEWAL_WARNING = timedelta(days=30)
# An app's client secret lives 180 days (FACTS 2.5); warned of at 150.
SECRET_LIFE = timedelta(days=180)
SECRET_WARNING = timedelta(days=30)


def enabling(*, holds_grant: bool, was_authorized: bool) -> Happening:
    """How a disabled connection comes back: a grant that Amazon refused meanwhile is not held any more."""
    if holds_grant:
        return "enabled"
    return "enabled_refused" if was_authorized else "enabled_unfinished"


def reauthorize_by(authorized_at: datetime | None) -> datetime | None:
    """When the yearly authorisation ends."""
    return authorized_at + AUTHORIZATION_LIFE if authorized_at else None
