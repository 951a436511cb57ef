"""Dials for usage plans: Amazon raises and lowers them from seller to seller, and so can a test."""

from typing import Any

import msgspec

from amazon_sandbox import quotas
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.marketplaces import RegionCode

_HIGHEST_RATE = 1e6


class PlanWish(msgspec.Struct, forbid_unknown_fields=True):
    operation: str
    rate: float
    burst: float | None = None
    limit: str = quotas.PAIR
    selling_partner_id: str | None = None
    region: RegionCode | None = None


def change_plan(call: DialCall) -> dict[str, Any]:
    """Amazon's usage plans are dynamic: the header follows, and so do the calls (FACTS 3.3)."""
    wish = call.read(PlanWish)
    limits = quotas.APPLICATION_RATES.get(wish.operation, {})
    if wish.operation not in quotas.USAGE_PLANS:
        raise DialError(f"operation is one of {', '.join(quotas.USAGE_PLANS)}")
    if wish.limit not in (quotas.PAIR, quotas.APPLICATION, *limits):
        raise DialError(f"limit of {wish.operation} is one of {', '.join((quotas.PAIR, *limits))}")
    if wish.selling_partner_id is not None and wish.limit != quotas.PAIR:
        raise DialError(f"the limits of the app have no seller: leave selling_partner_id out, or say {quotas.PAIR}")
    burst = wish.burst if wish.burst is not None else max(wish.rate, 1.0)
    if not (0 < wish.rate <= _HIGHEST_RATE and 1 <= burst <= _HIGHEST_RATE):
        raise DialError("rate is calls a second, more than 0; burst is calls, 1 or more")
    plan = quotas.UsagePlan(wish.rate, burst)
    call.world.quotas.change(
        quotas.PlanChange(wish.operation, wish.limit, wish.selling_partner_id or "", wish.region or "", plan)
    )
    return show_plans(call)


def show_plans(call: DialCall) -> dict[str, Any]:
    changes = [
        {
            "operation": change.operation,
            "limit": change.limit,
            "selling_partner_id": change.selling_partner_id or None,
            "region": change.region or None,
            "rate": change.plan.rate,
            "burst": change.plan.burst,
        }
        for change in call.world.quotas.changes
    ]
    return {"changed": changes, "plans": quotas.USAGE_PLANS, "application": quotas.APPLICATION_RATES}


def reset_plans(call: DialCall) -> dict[str, Any]:
    call.world.quotas.changes.clear()
    return show_plans(call)


DIALS = (
    Dial("GET", "/sandbox/quotas", "the usage plans, and what dials changed of them", show_plans),
    Dial(
        "PUT",
        "/sandbox/quotas",
        'change a usage plan: {"operation", "rate", "burst"?, "limit"? (pair, application, product data, '
        'relationships, validation preview), "selling_partner_id"?, "region"?}',
        change_plan,
    ),
    Dial("DELETE", "/sandbox/quotas", "back to the default usage plans", reset_plans),
)
