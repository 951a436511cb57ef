"""`/v1/orders/{amazon_order_id}/decision`: why an order went where it went, and what its decisions saw."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from common.callers import Caller, requires
from common.db import Transaction
from compliance_service import explaining
from compliance_service.schemas import OrderDecisions

router = APIRouter(tags=["decisions"])

# PostgreSQL's text holds every character but NUL.
_NO_NUL = r"^[^\x00]*$"


@router.get("/v1/orders/{amazon_order_id}/decision")
async def read_decision(
    amazon_order_id: Annotated[str, Path(max_length=50, pattern=_NO_NUL)],
    session: Transaction,
    caller: Annotated[Caller, requires("orders:read")],
    selling_partner_id: Annotated[str | None, Query(max_length=50, pattern=_NO_NUL)] = None,
) -> OrderDecisions:
    """The newest decision and its history. The seller is needed only when several have an order with this id."""
    return await explaining.explain_order(session, caller, amazon_order_id, selling_partner_id)
