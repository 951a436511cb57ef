"""Decisions: why an order went where it went, the same again, what if; and who may ship an order now."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from common.callers import Caller, requires
from common.db import Transaction
from compliance_service import explaining, replaying, supposing
from compliance_service.decision_schemas import (
    Difference,
    OrderDecisions,
    OrderEligibility,
    ReplayAnswer,
    WhatIf,
    WhatIfAnswer,
    WhatIfHeld,
)

router = APIRouter(tags=["decisions"])

# PostgreSQL's text holds every character but NUL.
_NO_NUL = r"^[^\x00]*$"

AmazonOrderId = Annotated[str, Path(max_length=50, pattern=_NO_NUL)]
Seller = Annotated[
    str | None,
    Query(max_length=50, pattern=_NO_NUL, description="needed only when several sellers have an order with this id"),
]
Reader = Annotated[Caller, requires("orders:read")]


@router.get("/v1/decisions/{amazon_order_id}")
async def read_decisions(
    amazon_order_id: AmazonOrderId, session: Transaction, caller: Reader, selling_partner_id: Seller = None
) -> OrderDecisions:
    """Why this order went where it went: every decision with what it saw, who had attested what, and what became of
    the units."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, amazon_order_id, selling_partner_id)
    return await explaining.explain_order(session, caller, order)


@router.post("/v1/decisions/{amazon_order_id}/replay")
async def replay(
    amazon_order_id: AmazonOrderId, session: Transaction, caller: Reader, selling_partner_id: Seller = None
) -> ReplayAnswer:
    """Takes every decision of the order again from what it saw, and says whether the answer is the same."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, amazon_order_id, selling_partner_id)
    return await replaying.replay_order(session, order)


@router.post("/v1/decisions/{amazon_order_id}/what-if")
async def what_if(
    amazon_order_id: AmazonOrderId,
    body: WhatIf,
    session: Transaction,
    caller: Reader,
    selling_partner_id: Seller = None,
) -> Difference:
    """Decides the order anew as things are and as they would be; nothing is touched."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, amazon_order_id, selling_partner_id)
    return await supposing.what_if(session, caller, order, body)


@router.post("/v1/what-if")
async def what_if_held(body: WhatIfHeld, session: Transaction, caller: Reader) -> WhatIfAnswer:
    """Which of the held orders (the oldest 1,000, or those named) would be decided differently; nothing is touched."""
    await supposing.begin_reading(session)
    return await supposing.what_if_held(session, caller, body)


@router.get("/v1/orders/{amazon_order_id}/eligibility")
async def read_eligibility(
    amazon_order_id: AmazonOrderId, session: Transaction, caller: Reader, selling_partner_id: Seller = None
) -> OrderEligibility:
    """Which sources may ship this order if it were decided now, and why the others may not."""
    await supposing.begin_reading(session)
    order = await explaining.find_order(session, caller, amazon_order_id, selling_partner_id)
    return await supposing.eligible_sources(session, order)
