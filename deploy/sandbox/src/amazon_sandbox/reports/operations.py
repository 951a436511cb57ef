"""createReport, getReport, getReports, cancelReport and getReportDocument (FACTS section 7)."""

from functools import partial
from typing import Annotated

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.clock import parse_iso
from amazon_sandbox.documents.answers import document_answer
from amazon_sandbox.jobs.calls import cancel, found, page_of, refuse_without_role
from amazon_sandbox.reports.report import Report
from amazon_sandbox.reports.types import REPORT_TYPES
from amazon_sandbox.wire import Answer, invalid_input, json_answer

FIRST_REPORT_ID = 60_000_000_000

MarketplaceIds = Annotated[list[str], msgspec.Meta(min_length=1, max_length=25)]


class ReportSpecification(msgspec.Struct, rename="camel"):
    report_type: str
    marketplace_ids: MarketplaceIds
    report_options: dict[str, str] | None = None
    data_start_time: str | None = None
    data_end_time: str | None = None


def create_report(call: Call) -> Answer:
    """202 `{"reportId"}`."""
    wish = call.read(ReportSpecification)
    world, seller, now_ms = call.world, call.seller, call.world.clock.now_ms()
    refuse_impossible_type(call, wish.report_type)
    call.own_marketplaces(wish.marketplace_ids)
    start_ms = _past_moment("dataStartTime", wish.data_start_time, now_ms)
    end_ms = _past_moment("dataEndTime", wish.data_end_time, now_ms)
    if end_ms is not None and (start_ms if start_ms is not None else now_ms) > end_ms:
        raise invalid_input("dataEndTime must not be earlier than dataStartTime.")
    report = Report(
        job_id=str(FIRST_REPORT_ID + world.next_job_number()),
        kind=wish.report_type,
        marketplace_ids=tuple(dict.fromkeys(wish.marketplace_ids)),
        created_ms=now_ms,
        options=wish.report_options or {},
        start_ms=start_ms,
        end_ms=end_ms,
    )
    return json_answer({"reportId": report.job_id}, 202, partial(seller.reports.submit, world, seller, report))


def get_report(call: Call) -> Answer:
    return json_answer(found(call, call.seller.reports, "report").document())


def get_reports(call: Call) -> Answer:
    owner = f"reports {call.seller.region} {call.seller.selling_partner_id}"
    return json_answer(page_of(call, call.seller.reports, "reportTypes", owner).document("reports"))


def cancel_report(call: Call) -> Answer:
    return cancel(call, call.seller.reports, "report")


def get_report_document(call: Call) -> Answer:
    """A URL that holds for five minutes."""
    return document_answer(call, "reportDocumentId")


def refuse_impossible_type(call: Call, report_type: str) -> None:
    """400 for one that is not made here, 403 for one that the app has no role for."""
    if report_type not in REPORT_TYPES:
        raise invalid_input(f"reportType '{report_type}' is not known here; known: {', '.join(REPORT_TYPES)}.")
    refuse_without_role(call, report_type)


def _past_moment(name: str, text: str | None, now_ms: int) -> int | None:
    if text is None:
        return None
    try:
        moment_ms = parse_iso(text)
    except ValueError as error:
        raise invalid_input(f"{name} is not an ISO 8601 time.") from error
    if moment_ms > now_ms:
        raise invalid_input(f"{name} must not be in the future.")
    return moment_ms
