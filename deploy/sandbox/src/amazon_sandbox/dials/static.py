"""Dials of static mode: which published cases there are, and which one answers where two ask for the same."""

from typing import Any

import msgspec

from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.static_cases import Choice, StaticCases, StaticOperation


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    operation: str
    status: int
    case: int = 0
    path: str | None = None


def show(call: DialCall) -> dict[str, Any]:
    static = _static(call)
    return {
        "operations": [
            {
                "operation": one.name,
                "method": one.method,
                "path": one.path,
                "cases": [{"status": case.status, "case": case.number} for case in one.cases],
                "chosen": call.world.static_choices.get((one.method, one.path)),
            }
            for one in static.operations
        ]
    }


def choose(call: DialCall) -> dict[str, Any]:
    static, wish = _static(call), call.read(Wish)
    operation = _find(static, wish)
    if (wish.status, wish.case) not in [case[:2] for case in operation.cases]:
        known = ", ".join(f"{case.status} case {case.number}" for case in operation.cases)
        raise DialError(f"{wish.operation} has {known}")
    call.world.static_choices[operation.method, operation.path] = Choice(wish.status, wish.case)
    return {"operation": operation.name, "path": operation.path, "status": wish.status, "case": wish.case}


def forget(call: DialCall) -> dict[str, Any]:
    _static(call)
    call.world.static_choices.clear()
    return {"chosen": []}


def _static(call: DialCall) -> StaticCases:
    if call.world.static is None:
        raise DialError("static mode is off: start with --static MODELS_FOLDER", 409)
    return call.world.static


def _find(static: StaticCases, wish: Wish) -> StaticOperation:
    named = [one for one in static.operations if one.name == wish.operation and wish.path in (None, one.path)]
    if not named:
        raise DialError(f"operation is one of {', '.join(sorted({one.name for one in static.operations}))}")
    if len(named) > 1:
        raise DialError(f"say which path: {', '.join(one.path for one in named)}")
    return named[0]


DIALS = (
    Dial("GET", "/sandbox/static", "static mode: the published cases", show),
    Dial(
        "PUT",
        "/sandbox/static",
        'which case answers from now on: {"operation", "status", "case"? (0), "path"?}',
        choose,
    ),
    Dial("DELETE", "/sandbox/static", "cases answer by what they ask for again", forget),
)
