"""A report as a job: DONE with a document, or CANCELLED when there is no data or it was asked too often (PAINS 16)."""

from typing import TYPE_CHECKING, Any

from amazon_sandbox.clock import SECOND_MS, iso
from amazon_sandbox.documents.store import REPORT_DOCUMENT_LIFE_MS, made_document
from amazon_sandbox.jobs.job import CANCELLED, DONE, Job
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.reports import listings, orders
from amazon_sandbox.reports.announcing import announce_report_finished
from amazon_sandbox.reports.text import charset_of
from amazon_sandbox.reports.types import LISTINGS

if TYPE_CHECKING:
    from amazon_sandbox.settings import Settings
    from amazon_sandbox.world import Seller, World

LOCALE_OPTION = "preferredReportDocumentLocale"  # FACTS 7.1


class Report(Job):
    """`start_ms` and `end_ms` bound the data of an order report; a listings report makes no use of them."""

    start_ms: int | None = None
    end_ms: int | None = None
    schedule_id: str | None = None

    def delays_s(self, settings: "Settings") -> tuple[float, float]:
        return settings.report_queue_s, settings.report_processing_s

    def process(self, world: "World", seller: "Seller", at_ms: int) -> None:
        if self.fate.end is not None:
            self.status = self.fate.end
            return
        rows = self._rows(world, seller, at_ms) if not self._asked_too_often(world, seller) else None
        if rows is None:
            self.status = CANCELLED
            return
        document = made_document(
            (seller.region, seller.selling_partner_id),
            f"text/plain;charset={charset_of(MARKETPLACES[self.marketplace_ids[0]])}",
            at_ms,
            compressed=world.settings.gzip_documents,
            rows=rows,
            life_ms=REPORT_DOCUMENT_LIFE_MS,
        )
        world.documents.add(document, at_ms)
        self.status, self.document_id = DONE, document.document_id

    def announce(self, world: "World", seller: "Seller") -> None:
        announce_report_finished(world, seller, self)

    def document(self) -> dict[str, Any]:
        """The model's `Report`."""
        document = {"reportId": self.job_id, "reportType": self.kind, **self.times()}
        if self.start_ms is not None:
            document["dataStartTime"] = iso(self.start_ms)
        if self.end_ms is not None:
            document["dataEndTime"] = iso(self.end_ms)
        if self.schedule_id is not None:
            document["reportScheduleId"] = self.schedule_id
        if self.document_id is not None:
            document["reportDocumentId"] = self.document_id
        return document

    def _rows(self, world: "World", seller: "Seller", at_ms: int) -> "listings.ListingRows | orders.OrderRows | None":
        """None when there is no data."""
        if self.kind == LISTINGS:
            english = self.options.get(LOCALE_OPTION, "").startswith("en")
            listing_rows = listings.rows_of(seller.catalogue, self.marketplace_ids, english)
            return listing_rows.sharing(self._last_rows(world, seller)) if listing_rows.listed else None
        start_ms = self.start_ms if self.start_ms is not None else self.created_ms
        end_ms = self.end_ms if self.end_ms is not None else at_ms
        order_rows = orders.rows_of(seller.orders, self.kind, self.marketplace_ids, start_ms, end_ms)
        return order_rows if order_rows.orders else None

    def _last_rows(self, world: "World", seller: "Seller") -> "listings.ListingRows | None":
        """Those of the last listings report, if nobody has downloaded it yet."""
        made = (job.document_id for job in reversed(seller.reports.jobs.values()) if job.document_id is not None)
        document = world.documents.documents.get(next(made, ""))
        rows = document.rows if document is not None else None
        return rows if isinstance(rows, listings.ListingRows) else None

    def _asked_too_often(self, world: "World", seller: "Seller") -> bool:
        """Whether the same was made so shortly before that Amazon does not make it again; a schedule may be dense."""
        since_ms = self.created_ms - round(world.settings.report_cooldown_s * SECOND_MS)
        if self.schedule_id is not None or since_ms == self.created_ms:
            return False
        for other in reversed(seller.reports.jobs.values()):
            if other.created_ms <= since_ms:
                return False
            if other.status == DONE and isinstance(other, Report) and other._asks() == self._asks():
                return True
        return False

    def _asks(self) -> tuple[object, ...]:
        """Equal for two reports with the same content."""
        window = (self.start_ms, self.end_ms) if self.kind != LISTINGS else None
        return self.kind, self.marketplace_ids, self.options, window
