"""Decisions: why an order went where it went, the same again, what if; and who may ship an order now."""

from typing import Annotated

from fastapi import APIRouter, Path

from common.callers import Caller, requires
from common.db import Transaction
from common.front_door import Guarded
from common.openapi import problems
from compliance_service import explaining, grouping, replaying, supposing
from compliance_service.decision_schemas import (
    DifferenceAnswer,
    OrderDecisionsAnswer,
    OrderEligibilityAnswer,
    ReplayAnswer,
    WhatIf,
    WhatIfAnswer,
    WhatIfHeld,
)

router = APIRouter(route_class=Guarded, tags=["decisions"])

Seller = Annotated[str, Path(max_length=64)]
AmazonOrderId = Annotated[str, Path(max_length=50)]
Reader = Annotated[Caller, requires("orders:read")]

_ORDER = "/v1/sellers/{selling_partner_id}/orders/{amazon_order_id}"
_NOT_SUPPOSED = problems(grouping.UnknownSource, grouping.UnknownRoutingRule, grouping.RoutingRuleRepeated)


@router.get(f"{_ORDER}/decisions")
async def get_decisions(
    selling_partner_id: Seller, amazon_order_id: AmazonOrderId, session: Transaction, caller: Reader
) -> OrderDecisionsAnswer:
    """Why this order went where it went: every decision with what it saw, who had attested what, and what became of
    the units."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, selling_partner_id, amazon_order_id)
    return await explaining.explain_order(session, caller, order)


@router.post(f"{_ORDER}/decisions/replay")
async def replay_decisions(
    selling_partner_id: Seller, amazon_order_id: AmazonOrderId, session: Transaction, caller: Reader
) -> ReplayAnswer:
    """Takes every decision of the order again from what it saw, and says whether the answer is the same."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, selling_partner_id, amazon_order_id)
    return await replaying.replay_order(session, order)


@router.post(f"{_ORDER}/what-if", responses=_NOT_SUPPOSED)
async def suppose_for_order(
    selling_partner_id: Seller, amazon_order_id: AmazonOrderId, body: WhatIf, session: Transaction, caller: Reader
) -> DifferenceAnswer:
    """Decides the order anew as things are and as they would be; nothing is touched."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, selling_partner_id, amazon_order_id)
    return await supposing.what_if(session, caller, order, body)


@router.post("/v1/what-if", responses=_NOT_SUPPOSED)
async def suppose_for_held_orders(body: WhatIfHeld, session: Transaction, caller: Reader) -> WhatIfAnswer:
    """Which of the held orders (the oldest 1,000, or those named) would be decided differently; nothing is touched."""
    await supposing.begin_reading(session)
    return await supposing.what_if_held(session, caller, body)


@router.get(f"{_ORDER}/eligibility")
async def get_order_eligibility(
    selling_partner_id: Seller, amazon_order_id: AmazonOrderId, session: Transaction, caller: Reader
) -> OrderEligibilityAnswer:
    """Which sources may ship this order if it were decided now, and why the others may not."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, selling_partner_id, amazon_order_id)
    return await supposing.eligible_sources(session, order)
