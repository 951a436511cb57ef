"""A feed as a job: what becomes of its document once its turn has come."""

from typing import TYPE_CHECKING, Any

from amazon_sandbox.documents.store import made_document
from amazon_sandbox.feeds import acknowledgement, fulfillment, listings
from amazon_sandbox.feeds.announcing import announce_feed_finished
from amazon_sandbox.feeds.result import Feeding
from amazon_sandbox.feeds.types import ACKNOWLEDGEMENT, FULFILLMENT, JSON_LISTINGS, LEGACY
from amazon_sandbox.jobs.job import FATAL, Job

if TYPE_CHECKING:
    from amazon_sandbox.settings import Settings
    from amazon_sandbox.world import Seller, World

_PROCESSORS = {
    JSON_LISTINGS: listings.process,
    ACKNOWLEDGEMENT: acknowledgement.process,
    FULFILLMENT: fulfillment.process,
}


class Feed(Job):
    """`document_id` is the result's, `input_document_id` the submitted one's."""

    input_document_id: str = ""

    def delays_s(self, settings: "Settings") -> tuple[float, float]:
        return settings.feed_queue_s, settings.feed_processing_s

    def process(self, world: "World", seller: "Seller", at_ms: int) -> None:
        """FATAL without a report: what Amazon takes no more (FACTS 6.7), a document that is gone, or by dial."""
        submitted = world.documents.find(self.input_document_id, at_ms)
        if self.fate.end is not None and self.fate.fatal_after is None:
            self.status = self.fate.end
            return
        if self.kind in LEGACY or submitted is None or submitted.content is None:
            self.status = FATAL
            return
        feeding = Feeding(world, seller, self.job_id, self.kind, self.marketplace_ids, self.fate, at_ms)
        result = _PROCESSORS[self.kind](feeding, submitted.content)
        owner = (seller.region, seller.selling_partner_id)
        document = made_document(
            owner, result.content_type, at_ms, compressed=world.settings.gzip_documents, content=result.content
        )
        world.documents.add(document, at_ms)
        self.status, self.document_id = result.status, document.document_id

    def announce(self, world: "World", seller: "Seller") -> None:
        announce_feed_finished(world, seller, self)

    def document(self) -> dict[str, Any]:
        """The model's `Feed`."""
        document = {"feedId": self.job_id, "feedType": self.kind, **self.times()}
        if self.document_id is not None:
            document["resultFeedDocumentId"] = self.document_id
        return document
