"""`/v1/packing-slips/check`: whether a packing slip made elsewhere names the seller, and nobody else, as its sender."""

import hashlib
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from common.app import RuntimeDependency
from common.callers import Caller, requires
from compliance_service.checking_slips import SlipReference, expected_of
from compliance_service.slips.extracting import extract, receive
from compliance_service.slips.rules import judge

router = APIRouter(tags=["packing slips"])

# PostgreSQL's text holds every character but NUL.
_NO_NUL = r"^[^\x00]*$"
_PDF_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SlipFinding(BaseModel):
    """What a rule found. Nothing of the slip is quoted: it bears a buyer's name and address."""

    rule: str
    outcome: Literal["passed", "failed", "not_checked"]
    detail: str
    fix: str


class SlipCheck(BaseModel):
    """`undecided`: nothing is wrong, but compliance does not know what the slip must say; see what was not checked."""

    amazon_order_id: str
    verdict: Literal["complies", "does_not_comply", "undecided"]
    document_hash: str
    pages: int
    findings: list[SlipFinding]


@router.post("/v1/packing-slips/check", openapi_extra=_PDF_BODY)
async def check_packing_slip(
    request: Request,
    caller: Annotated[Caller, requires("orders:read")],
    runtime: RuntimeDependency,
    amazon_order_id: Annotated[str, Query(min_length=1, max_length=50, pattern=_NO_NUL)],
    selling_partner_id: Annotated[str | None, Query(max_length=50, pattern=_NO_NUL)] = None,
    source_id: Annotated[UUID | None, Query(description="whose part of the order the slip is for")] = None,
) -> SlipCheck:
    """Checks a PDF of up to 5 MiB; neither it nor anything on it is kept. `document_hash` is its SHA-256."""
    async with runtime.db.transaction() as session:
        expected = await expected_of(session, caller, SlipReference(amazon_order_id, selling_partner_id, source_id))
    document = await receive(request.headers.get("content-type", ""), request.stream())
    slip = await extract(document)
    verdict, findings = judge(slip, expected)
    return SlipCheck(
        amazon_order_id=expected.amazon_order_id,
        verdict=verdict,
        document_hash=hashlib.sha256(document).hexdigest(),
        pages=slip.pages,
        findings=[SlipFinding(rule=one.rule, outcome=one.outcome, detail=one.detail, fix=one.fix) for one in findings],
    )
