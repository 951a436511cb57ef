"""Packing slips, as PDF or as HTML: behind the scope of buyers' data, since a slip says where its parcel goes."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response

from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.errors import Problem
from common.front_door import Guarded
from common.openapi import problems
from orders_service import packing
from orders_service.disclosing import NoRecipient
from orders_service.packing import Printable, slip_of_order, slip_of_request
from orders_service.slips.pdf import Unprintable

router = APIRouter(route_class=Guarded, prefix="/v1", tags=["packing slips"])

RecipientReader = Annotated[Caller, requires("orders:pii")]
Accept = Annotated[str, Header(max_length=1000, description="application/pdf (the default) or text/html")]

# The page may show its own styles and nothing else, should anything in it ever be taken for markup.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_PDF, _HTML = "application/pdf", "text/html"
_PDF_ANSWER: dict[str, Any] = {_PDF: {"schema": {"type": "string", "format": "binary"}}}
_HTML_ANSWER: dict[str, Any] = {_HTML: {"schema": {"type": "string"}}}


class NotAcceptable(Problem):
    status, slug, title = 406, "not-acceptable", "A packing slip is application/pdf or text/html"
    fix = "Send one of them as Accept, or add .pdf or .html to the path"


_NOT_PRINTED = (
    NoRecipient,
    packing.ShippedByAmazon,
    packing.OrderPending,
    packing.OrderCancelled,
    packing.NotForShipping,
    packing.NoSellerOfRecord,
    packing.NoReturnAddress,
    packing.SourceNamed,
    packing.RecipientErased,
    Unprintable,
)


class SlipResponse(Response):
    """A slip's own media type stands in `responses`; this one adds none."""

    media_type = None


def _options(*answers: dict[str, Any]) -> dict[str, Any]:
    content = {kind: schema for answer in answers for kind, schema in answer.items()}
    good: dict[int | str, dict[str, Any]] = {200: {"content": content, "description": "The packing slip"}}
    choice = (NotAcceptable,) if len(answers) > 1 else ()
    return {"response_class": SlipResponse, "responses": good | problems(*choice, *_NOT_PRINTED)}


async def _preferred(_: RecipientReader, accept: Accept = "*/*") -> str:
    return preferred(accept)


async def _of_order(order_id: UUID, caller: RecipientReader, runtime: RuntimeDependency) -> Printable:
    # The transaction ends before anything is laid out: the reading is recorded, and no connection waits for a page.
    async with runtime.db.transaction() as session:
        return await slip_of_order(session, runtime.key_ring, caller, order_id)


async def _of_request(request_id: UUID, caller: RecipientReader, runtime: RuntimeDependency) -> Printable:
    async with runtime.db.transaction() as session:
        return await slip_of_request(session, runtime.key_ring, caller, request_id)


# Resolved in the order of a route's parameters: what cannot be accepted is refused before a reading is recorded.
Preferred = Annotated[str, Depends(_preferred)]
OrderSlip = Annotated[Printable, Depends(_of_order)]
RequestSlip = Annotated[Printable, Depends(_of_request)]


@router.get("/orders/{order_id}/packing-slip", **_options(_PDF_ANSWER, _HTML_ANSWER))
async def get_order_slip(kind: Preferred, slip: OrderSlip) -> Response:
    """The slip of the whole order in the marketplace's language. Who asks is recorded before the answer leaves."""
    return await _answer(kind, slip)


@router.get("/orders/{order_id}/packing-slip.pdf", **_options(_PDF_ANSWER))
async def get_order_slip_pdf(slip: OrderSlip) -> Response:
    """The same as PDF, whatever is accepted."""
    return await _answer(_PDF, slip)


@router.get("/orders/{order_id}/packing-slip.html", **_options(_HTML_ANSWER))
async def get_order_slip_html(slip: OrderSlip) -> Response:
    """The same as HTML, whatever is accepted."""
    return await _answer(_HTML, slip)


@router.get("/fulfillment-requests/{request_id}/packing-slip", **_options(_PDF_ANSWER, _HTML_ANSWER))
async def get_request_slip(kind: Preferred, slip: RequestSlip) -> Response:
    """The slip of what this request's source ships, with its quantities. Who asks is recorded."""
    return await _answer(kind, slip)


@router.get("/fulfillment-requests/{request_id}/packing-slip.pdf", **_options(_PDF_ANSWER))
async def get_request_slip_pdf(slip: RequestSlip) -> Response:
    """The same as PDF, whatever is accepted."""
    return await _answer(_PDF, slip)


@router.get("/fulfillment-requests/{request_id}/packing-slip.html", **_options(_HTML_ANSWER))
async def get_request_slip_html(slip: RequestSlip) -> Response:
    """The same as HTML, whatever is accepted."""
    return await _answer(_HTML, slip)


async def _answer(kind: str, printable: Printable) -> Response:
    body = await printable.pdf() if kind == _PDF else printable.html()
    order_id = re.sub(r"[^\w-]+", "_", printable.slip.amazon_order_id, flags=re.ASCII)
    headers = {
        "Cache-Control": "no-store",
        "Vary": "Accept, Authorization",
        "X-Content-Type-Options": "nosniff",
        "Content-Language": str(printable.language.locale).replace("_", "-"),
        "Content-Disposition": f'inline; filename="packing-slip-{order_id}.{kind.rpartition("/")[2]}"',
    }
    if kind == _HTML:
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return Response(body, media_type=kind, headers=headers)


def preferred(accept: str) -> str:
    """Which of the two the client likes better; PDF when it does not mind. Raises `NotAcceptable`."""
    liked = {_PDF: 0.0, _HTML: 0.0}
    for kind in liked:
        # The most specific range that matches decides (RFC 9110, 12.5.1).
        for wanted in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
            if (quality := _quality(accept, wanted)) is not None:
                liked[kind] = quality
                break
    best = max(liked, key=lambda kind: liked[kind])
    if not liked[best]:
        raise NotAcceptable
    return best


def _quality(accept: str, wanted: str) -> float | None:
    for part in accept.split(","):
        media, *parameters = (text.strip().lower() for text in part.split(";"))
        if media == wanted:
            given = next((p.partition("=")[2] for p in parameters if p.startswith("q=")), "1")
            return float(given) if re.fullmatch(r"[01](\.\d{0,3})?", given) else 0.0
    return None
