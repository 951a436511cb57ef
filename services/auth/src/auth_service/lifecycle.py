"""The states of a connection and what moves it between them, as one table. Pure."""

from typing import Literal

from common.contracts.connections import (
    ConnectionAuthorized,
    ConnectionChanged,
    ConnectionDisabled,
    ConnectionEvent,
    ConnectionRevoked,
    ReauthorizationDue,
)

Status = Literal["pending", "active", "reauthorization_due", "revoked", "disabled"]
Happening = Literal["authorized", "refused", "renewal_due", "disabled"]

# Calls to Amazon are made in these states only.
CALLABLE: frozenset[Status] = frozenset({"active", "reauthorization_due"})

# Absent: nothing changes and nothing is announced. `disabled` is left by `enabled_status` alone.
TRANSITIONS: dict[tuple[Status, Happening], Status] = {
    ("pending", "authorized"): "active",
    ("active", "authorized"): "active",
    ("reauthorization_due", "authorized"): "active",
    ("revoked", "authorized"): "active",
    ("active", "refused"): "revoked",
    ("reauthorization_due", "refused"): "revoked",
    ("active", "renewal_due"): "reauthorization_due",
    ("pending", "disabled"): "disabled",
    ("active", "disabled"): "disabled",
    ("reauthorization_due", "disabled"): "disabled",
    ("revoked", "disabled"): "disabled",
}

ANNOUNCED_AS: dict[Happening, type[ConnectionEvent]] = {
    "authorized": ConnectionAuthorized,
    "refused": ConnectionRevoked,
    "renewal_due": ReauthorizationDue,
    "disabled": ConnectionDisabled,
}
ENABLED_AS: type[ConnectionEvent] = ConnectionChanged


def enabled_status(*, holds_grant: bool, was_authorized: bool) -> Status:
    """Where a disabled connection goes back to: a grant that Amazon refused meanwhile is not held any more."""
    if holds_grant:
        return "active"
    return "revoked" if was_authorized else "pending"
