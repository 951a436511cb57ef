"""`/v1/packing-slips/check`: whether a packing slip made elsewhere names the seller, and nobody else, as its sender."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.errors import NotFound
from common.front_door import Guarded, body_limit
from common.openapi import problems
from common.schemas import Answer, Values
from compliance_service.checking_slips import ShippedByAmazon, SlipReference, SourceNotAsked, expected_of
from compliance_service.slips import extracting
from compliance_service.slips.extracting import extract, receive
from compliance_service.slips.rules import judge

router = APIRouter(route_class=Guarded, tags=["packing slips"])

_PDF_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SlipFindingAnswer(Answer):
    """What a rule found. Nothing of the slip is quoted: it bears a buyer's name and address."""

    rule: str
    outcome: str = Values("passed", "failed", "not_checked", description="what came of it")
    detail: str
    fix: str


class SlipCheckAnswer(Answer):
    """`undecided`: nothing is wrong, but compliance does not know what the slip must say; see what was not checked."""

    amazon_order_id: str
    verdict: str = Values("complies", "does_not_comply", "undecided", description="of the whole slip")
    document_hash: str
    pages: int
    findings: list[SlipFindingAnswer]


_NOT_CHECKED = (
    NotFound,
    ShippedByAmazon,
    SourceNotAsked,
    extracting.NotPdf,
    extracting.SlipTooLarge,
    extracting.PdfEncrypted,
    extracting.PdfUnreadable,
    extracting.PdfTooComplex,
    extracting.PdfWithoutText,
    extracting.CheckerBusy,
)


@router.post("/v1/packing-slips/check", openapi_extra=_PDF_BODY, responses=problems(*_NOT_CHECKED))
@body_limit(None)
async def check_packing_slip(
    request: Request,
    caller: Annotated[Caller, requires("orders:read")],
    runtime: RuntimeDependency,
    selling_partner_id: Annotated[str, Query(min_length=1, max_length=64)],
    amazon_order_id: Annotated[str, Query(min_length=1, max_length=50)],
    source_id: Annotated[UUID | None, Query(description="whose part of the order the slip is for")] = None,
) -> SlipCheckAnswer:
    """Checks a PDF of up to 5 MiB; neither it nor anything on it is kept. `document_hash` is its SHA-256."""
    async with runtime.db.transaction() as session:
        expected = await expected_of(session, caller, SlipReference(selling_partner_id, amazon_order_id, source_id))
    document = await receive(request.headers.get("content-type", ""), request.stream())
    slip = await extract(document)
    verdict, findings = judge(slip, expected)
    return SlipCheckAnswer(
        amazon_order_id=expected.amazon_order_id,
        verdict=verdict,
        document_hash=hashlib.sha256(document).hexdigest(),
        pages=slip.pages,
        findings=[
            SlipFindingAnswer(rule=one.rule, outcome=one.outcome, detail=one.detail, fix=one.fix) for one in findings
        ],
    )
