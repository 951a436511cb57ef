"""Faults on demand: a dial arms them for an operation, the calls that match run into them."""

import random
from typing import Literal, get_args
from urllib.parse import parse_qs

import msgspec

from amazon_sandbox.clock import SECOND_MS
from amazon_sandbox.marketplaces import REGION_CODES

Kind = Literal[
    "status",
    "html",
    "empty",
    "malformed_json",
    "truncated",
    "reset",
    "timeout",
    "slow",
    "drop_after_effect",
    "lost_effect",
]
KINDS: tuple[str, ...] = get_args(Kind)

ANY_OPERATION = "*"
_LONGEST_STORM_S = 366 * 24 * 3600


class Fault(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a dial asks for. `operation` is SP-API's name, `token` for LWA, or `*` for all of SP-API.

    Which calls: `count` of them, each one with `probability` (drawn from `seed`, so that a run repeats), and all of
    the next `for_s` seconds of the sandbox clock; said together they all hold, and without any of them it is one
    call. `selling_partner_id`, `region` and `query` narrow them down: `query` names parameters and a value that each
    must hold, as in {"includedData": "FULFILLMENT"}.

    What happens: status: the error `status` in Amazon's shape; html: the same as an HTML page; empty: 200 without a
    body; malformed_json: 200 with broken JSON; truncated: half the body, then the connection closes; reset: no answer
    at all; timeout: the same after `seconds` of silence; slow: the right answer after `seconds`; drop_after_effect:
    the effect takes place, the answer never comes; lost_effect: the right answer, and nothing happened.
    `after_effect`: the effect takes place before the fault.
    """

    operation: str
    kind: Kind = "status"
    status: int | None = None
    count: int | None = None
    probability: float | None = None
    seed: int = 0
    for_s: float | None = None
    seconds: float | None = None
    selling_partner_id: str | None = None
    region: str | None = None
    query: dict[str, str] = {}
    after_effect: bool = False

    @property
    def wait_s(self) -> float:
        return self.seconds if self.seconds is not None else 5.0

    @property
    def lets_effect_happen(self) -> bool:
        return self.after_effect or self.kind in ("slow", "drop_after_effect")

    @property
    def never_answers(self) -> bool:
        return self.kind in ("reset", "timeout", "drop_after_effect")


class Armed(msgspec.Struct, eq=False):
    """A fault that waits for its calls; `left` is how many it still has (None: no end), `hits` how many it had."""

    fault: Fault
    left: int | None
    until_ms: int | None
    hits: int = 0
    draws: int = 0

    def fits(self, operation: str, selling_partner_id: str, region: str, query: bytes) -> bool:
        fault = self.fault
        if fault.operation != operation and (fault.operation != ANY_OPERATION or operation == "token"):
            return False
        if fault.selling_partner_id not in (None, selling_partner_id) or fault.region not in (None, region):
            return False
        if not fault.query:
            return True
        given = parse_qs(query.decode("latin-1"))
        return all(value in ",".join(given.get(name, ())).split(",") for name, value in fault.query.items())

    def strikes(self) -> bool:
        """Whether this call is hit: the same calls with the same seed are hit again."""
        if self.fault.probability is None:
            return True
        self.draws += 1
        return random.Random(f"{self.fault.seed}:{self.draws}").random() < self.fault.probability  # noqa: S311


class Faults:
    def __init__(self) -> None:
        self.armed: list[Armed] = []

    def arm(self, fault: Fault, now_ms: int) -> None:
        once = fault.count is None and fault.probability is None and fault.for_s is None
        until_ms = now_ms + round(fault.for_s * SECOND_MS) if fault.for_s is not None else None
        self.armed.append(Armed(fault, 1 if once else fault.count, until_ms))

    def next_for(self, operation: str, selling_partner_id: str, region: str, query: bytes, now_ms: int) -> Fault | None:
        """The first armed fault that strikes this call, used up by one."""
        if not self.armed:
            return None
        self.armed = [one for one in self.armed if one.until_ms is None or now_ms < one.until_ms]
        for one in self.armed:
            if one.fits(operation, selling_partner_id, region, query) and one.strikes():
                one.hits += 1
                if one.left is not None:
                    one.left -= 1
                    if one.left == 0:
                        self.armed.remove(one)
                return one.fault
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
    if fault.count is not None and fault.count < 1:
        return "count is 1 or more"
    if fault.probability is not None and not 0 < fault.probability <= 1:
        return "probability is more than 0 and at most 1"
    if fault.for_s is not None and not 0 < fault.for_s <= _LONGEST_STORM_S:
        return "for_s is seconds of the sandbox clock, more than 0 and at most a year"
    if not 0 <= fault.wait_s <= 600:
        return "seconds is 0 to 600"
    if fault.region is not None and fault.region not in REGION_CODES:
        return f"region is one of {', '.join(REGION_CODES)}"
    return None
