"""Faults on demand: a dial arms them for an operation, the next matching calls run into them."""

from typing import Literal

import msgspec

Kind = Literal[
    "status", "html", "empty", "malformed_json", "truncated", "reset", "slow", "drop_after_effect", "lost_effect"
]


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One armed fault, for the next `count` calls of `operation` (of one seller, if named).

    status: the error `status` in Amazon's shape; html: the same as an HTML page; empty: 200 without a body;
    malformed_json: 200 with broken JSON; truncated: half the body, then the connection closes; reset: no answer at
    all; slow: the right answer after `seconds`; drop_after_effect: the effect takes place, the answer never comes;
    lost_effect: the right answer, and nothing happened. `after_effect`: the effect takes place before the fault.
    """

    operation: str
    kind: Kind = "status"
    status: int | None = None
    count: int = 1
    seconds: float = 5.0
    selling_partner_id: str | None = None
    after_effect: bool = False

    @property
    def lets_effect_happen(self) -> bool:
        return self.after_effect or self.kind in ("slow", "drop_after_effect")

    @property
    def never_answers(self) -> bool:
        return self.kind in ("reset", "drop_after_effect")


class Faults:
    def __init__(self) -> None:
        self.armed: list[Fault] = []

    def next_for(self, operation: str, selling_partner_id: str) -> Fault | None:
        """The first armed fault that fits this call, used up by one."""
        for fault in self.armed:
            if fault.operation == operation and fault.selling_partner_id in (None, selling_partner_id):
                fault.count -= 1
                if fault.count == 0:
                    self.armed.remove(fault)
                return fault
        return None


def problem_with(fault: Fault, operations: list[str]) -> str | None:
    """Why this fault makes no sense, or None."""
    if fault.operation not in operations:
        return f"operation is one of {', '.join(operations)}"
    if fault.kind in ("status", "html"):
        if fault.status is None or not 400 <= fault.status <= 599:
            return "status is the HTTP status of the error, 400 to 599"
    elif fault.status is not None:
        return "status belongs to the kinds status and html"
    if fault.kind == "lost_effect" and fault.operation == "token":
        return "lost_effect is for operations that write"
    if fault.count < 1:
        return "count is 1 or more"
    if not 0 <= fault.seconds <= 600:
        return "seconds is 0 to 600"
    return None
