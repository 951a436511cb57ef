"""Dials for feeds and reports: what becomes of the next ones, sticking, releasing, and their books (PAINS 7, 16)."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from amazon_sandbox.clock import iso
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.documents.store import Document
from amazon_sandbox.feeds.types import FEED_TYPES
from amazon_sandbox.jobs.book import JobBook
from amazon_sandbox.jobs.job import Fate, Job
from amazon_sandbox.reports.types import REPORT_TYPES
from amazon_sandbox.world import Seller

_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class NextReports(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    type: str | None = None
    count: _Count = 1
    stick: Literal["IN_QUEUE", "IN_PROGRESS"] | None = None
    processing_s: Annotated[float, msgspec.Meta(ge=0, le=30 * 24 * 3600)] | None = None
    end: Literal["FATAL", "CANCELLED"] | None = None


class NextFeeds(NextReports):
    fatal_after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    fail_every: _Count | None = None
    fail_skus: tuple[str, ...] = ()


def _feeds(seller: Seller) -> JobBook:
    return seller.feeds


def _reports(seller: Seller) -> JobBook:
    return seller.reports


def next_feeds(call: DialCall) -> dict[str, Any]:
    wish = call.read(NextFeeds)
    fate = _fate(wish, FEED_TYPES)
    fate = msgspec.structs.replace(
        fate, fatal_after=wish.fatal_after, fail_every=wish.fail_every, fail_skus=wish.fail_skus
    )
    return _plan(call, _feeds, wish, fate)


def next_reports(call: DialCall) -> dict[str, Any]:
    wish = call.read(NextReports)
    return _plan(call, _reports, wish, _fate(wish, REPORT_TYPES))


def forget_fates(call: DialCall) -> dict[str, Any]:
    for seller in call.world.sellers.values():
        seller.feeds.fates.clear()
        seller.reports.fates.clear()
    return {"planned": []}


def _fate(wish: NextReports, kinds: tuple[str, ...]) -> Fate:
    if wish.type is not None and wish.type not in kinds:
        raise DialError(f"type is one of {', '.join(kinds)}")
    return Fate(kind=wish.type, count=wish.count, stick=wish.stick, processing_s=wish.processing_s, end=wish.end)


def _plan(call: DialCall, book_of: Callable[[Seller], JobBook], wish: NextReports, fate: Fate) -> dict[str, Any]:
    book = book_of(call.seller(wish.selling_partner_id))
    book.fates.append(fate)
    return {"planned": book.fates}


def _stick(book_of: Callable[[Seller], JobBook]) -> Callable[[DialCall], dict[str, Any]]:
    def stick(call: DialCall) -> dict[str, Any]:
        _seller, job = _find(call, book_of)
        if job.is_over:
            raise DialError(f"{job.job_id} is {job.status}", 409)
        job.stuck = True
        return _shown(job)

    return stick


def _release(book_of: Callable[[Seller], JobBook]) -> Callable[[DialCall], dict[str, Any]]:
    def release(call: DialCall) -> dict[str, Any]:
        seller, job = _find(call, book_of)
        if not job.stuck or job.is_over:
            raise DialError(f"{job.job_id} is {job.status} and not stuck", 409)
        book_of(seller).release(call.world, seller, job)
        call.world.settle()
        return _shown(job)

    return release


def _find(call: DialCall, book_of: Callable[[Seller], JobBook]) -> tuple[Seller, Job]:
    job_id = call.path["job_id"]
    for seller in call.world.sellers.values():
        job = book_of(seller).jobs.get(job_id)
        if job is not None:
            return seller, job
    raise DialError(f"there is no {job_id}", 404)


def _list(book_of: Callable[[Seller], JobBook], name: str) -> Callable[[DialCall], dict[str, Any]]:
    def jobs(call: DialCall) -> dict[str, Any]:
        book = book_of(call.seller(call.required("selling_partner_id")))
        return {name: [_shown(job) for job in book.jobs.values()], "planned": book.fates}

    return jobs


def documents(call: DialCall) -> dict[str, Any]:
    seller = call.seller(call.required("selling_partner_id"))
    owner = (seller.region, seller.selling_partner_id)
    held = call.world.documents.documents.values()
    return {"documents": [_document(one) for one in held if (one.region, one.selling_partner_id) == owner]}


def _shown(job: Job) -> dict[str, Any]:
    return {"type": job.kind, **job.document(), "stuck": job.stuck, "fate": job.fate}


def _document(document: Document) -> dict[str, Any]:
    """Never the content: it may hold a person's data."""
    return {
        "document_id": document.document_id,
        "content_type": document.content_type,
        "created_time": iso(document.created_ms),
        "expires_time": iso(document.expires_ms),
        "submitted": document.is_input,
        "gzipped": document.gzipped,
        "bytes": len(document.content) if document.content is not None else None,
        "uploads": document.uploads,
        "downloads": document.downloads,
    }


_NEXT = (
    '{"selling_partner_id", "type"? (any), "count"? (1), "stick"? (IN_QUEUE or IN_PROGRESS), "processing_s"?, '
    '"end"? (FATAL or CANCELLED)'
)
_SELLER = "?selling_partner_id="

DIALS = (
    Dial(
        "POST",
        "/sandbox/feeds/next",
        f"what becomes of the next feeds: {_NEXT}, "
        '"fatal_after"? (so many messages are done first), "fail_every"? (each n-th message), "fail_skus"?}',
        next_feeds,
    ),
    Dial("POST", "/sandbox/reports/next", f"what becomes of the next reports: {_NEXT}}}", next_reports),
    Dial("DELETE", "/sandbox/feeds/next", "the next feeds and reports are nothing special", forget_fates),
    Dial(
        "POST", "/sandbox/feeds/{job_id}/stick", "it stays as it is, and those behind it wait; no body", _stick(_feeds)
    ),
    Dial("POST", "/sandbox/feeds/{job_id}/release", "it goes on; no body", _release(_feeds)),
    Dial("POST", "/sandbox/reports/{job_id}/stick", "the same for a report; no body", _stick(_reports)),
    Dial("POST", "/sandbox/reports/{job_id}/release", "it goes on; no body", _release(_reports)),
    Dial("GET", "/sandbox/books/feeds", f"feeds with what is planned for the next: {_SELLER}", _list(_feeds, "feeds")),
    Dial("GET", "/sandbox/books/reports", f"reports, the same: {_SELLER}", _list(_reports, "reports")),
    Dial("GET", "/sandbox/books/documents", f"what was uploaded and made, never its content: {_SELLER}", documents),
)
