"""REPORT_PROCESSING_FINISHED, for whoever subscribed (FACTS 9.5)."""

from typing import TYPE_CHECKING

from amazon_sandbox.notifications.emitting import emit

if TYPE_CHECKING:
    from amazon_sandbox.reports.report import Report
    from amazon_sandbox.world import Seller, World


def announce_report_finished(world: "World", seller: "Seller", report: "Report") -> None:
    """Of a report that is over: DONE, FATAL or CANCELLED."""
    finished = {
        "sellerId": seller.selling_partner_id,
        "accountId": f"amzn1.merchant.o.{seller.selling_partner_id}",
        "reportId": report.job_id,
        "reportType": report.kind,
        "processingStatus": report.status,
    }
    if report.document_id is not None:
        finished["reportDocumentId"] = report.document_id
    emit(world, seller, "REPORT_PROCESSING_FINISHED", {"reportProcessingFinishedNotification": finished})
