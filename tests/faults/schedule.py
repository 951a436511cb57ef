"""What a seed means (pure): which trade and which faults at which second. The same seed is the same schedule."""

import random
from dataclasses import dataclass, field
from typing import Any

# Prices and quantities of one SKU only ever rise: whatever falls in Amazon's history was sent too late.
TRADED = tuple(f"TRADED/{number}" for number in range(12))
PROBE = "PROBE/1"
MUG, EAST_ONLY, WEST_ONLY = "MUG/1", "EAST/1", "WEST/1"
ORDERED = (MUG, EAST_ONLY, WEST_ONLY)

CARRIERS = (("UPS", "UPS Ground"), ("FedEx", "FedEx Ground"), ("USPS", "USPS Ground Advantage"))
CORRECTIONS = ("carrier", "method", "tracking_number")
_OTHER_METHOD = {"UPS": "UPS Next Day Air", "FedEx": "FedEx 2Day", "USPS": "USPS Priority Mail"}

# How long each fault takes of the run, with the rest that follows (seconds): in two minutes each happens once.
_TAKES = {
    "stall_listings": 19.0,
    "stall_orders": 21.0,
    "grant_replaced_twice": 8.0,
    "confirmations_fail": 11.0,
    "storm_503": 11.0,
    "stop_auth": 17.0,
    "restart_postgres": 7.0,
    "stop_broker": 10.0,
    "kill": 5.0,
}
_KILLED = ("auth", "listings", "orders")
_BEGINS, _STOPPED = 4.0, 15.0
_ORDERS_EVERY, _CHANGES_EVERY = 1.5, 0.7


@dataclass(frozen=True, order=True)
class Step:
    """At `second` after the beginning, `action` with `facts`."""

    second: float
    action: str
    facts: dict[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Parcels:
    """How the sources ship one order: in which parcels, named or not, and what is corrected afterwards."""

    delay: float
    named: bool
    split: bool
    carrier: str
    method: str
    correction: str | None
    correction_delay: float


def schedule(seed: int, seconds: float) -> list[Step]:
    """All steps of a run, in their order."""
    return sorted(
        [*_trade(random.Random(f"{seed}:trade"), seconds), *_faults(random.Random(f"{seed}:faults"), seconds)]
    )


def parcels(seed: int, number: int) -> Parcels:
    """Of the run's order of this number."""
    chance = random.Random(f"{seed}:parcels:{number}")
    carrier, method = chance.choice(CARRIERS)
    return Parcels(
        delay=chance.uniform(0, 4),
        named=chance.random() < 0.5,
        split=chance.random() < 0.3,
        carrier=carrier,
        method=method,
        correction=chance.choice(CORRECTIONS) if chance.random() < 0.4 else None,
        correction_delay=chance.uniform(0, 6),
    )


def corrected(told: dict[str, Any], what: str, number: int) -> dict[str, str]:
    """The fields of a parcel that change when this is corrected."""
    if what == "tracking_number":
        return {"tracking_number": f"{told['tracking_number']}C{number}"}
    if what == "method":
        return {"method": _OTHER_METHOD[told["carrier"]]} if told["method"] != _OTHER_METHOD[told["carrier"]] else {}
    carrier, method = next((c, m) for c, m in CARRIERS[number % 2 :] if c != told["carrier"])
    return {"carrier": carrier, "method": method}


def _trade(chance: random.Random, seconds: float) -> list[Step]:
    steps = []
    for number in range(int(seconds / _ORDERS_EVERY)):
        kind = chance.choices(("mug", "two_sources"), (3, 1))[0]
        lines = [(MUG, chance.randint(1, 3))]
        if kind == "two_sources":
            lines = [(EAST_ONLY, chance.randint(1, 2)), (WEST_ONLY, chance.randint(1, 2))]
        steps.append(Step(number * _ORDERS_EVERY, "order", {"number": number, "lines": lines}))
    for number in range(int(seconds / _CHANGES_EVERY)):
        facts = {"sku": chance.choice(TRADED), "what": chance.choice(("price", "quantity", "both"))}
        steps.append(Step(number * _CHANGES_EVERY, "change", facts))
    second, attested = chance.uniform(5, 10), True
    while second < seconds:
        attested = not attested
        steps.append(Step(second, "attest" if attested else "withdraw", {}))
        second += chance.uniform(8, 16)
    return steps


def _faults(chance: random.Random, seconds: float) -> list[Step]:
    """One fault after another, and beside them what compliance alone goes through."""
    steps = []
    second = _BEGINS
    deck: list[str] = []
    while True:
        if not deck:
            deck = list(_TAKES)
            chance.shuffle(deck)
        fault = deck.pop()
        if second + _TAKES[fault] > seconds:
            break
        facts = {"replica": chance.randrange(2), "service": chance.choice(_KILLED)}
        steps.append(Step(second, fault, facts))
        second += _TAKES[fault]
    second = chance.uniform(8, 20)
    while second < seconds - _STOPPED:
        steps.append(
            Step(second, chance.choice(("freeze", "kill")), {"service": "compliance", "replica": chance.randrange(2)})
        )
        second += chance.uniform(20, 35)
    return steps
