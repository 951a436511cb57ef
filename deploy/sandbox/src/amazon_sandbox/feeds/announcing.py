"""FEED_PROCESSING_FINISHED, for whoever subscribed (FACTS 9.6)."""

from typing import TYPE_CHECKING

from amazon_sandbox.notifications.emitting import emit

if TYPE_CHECKING:
    from amazon_sandbox.feeds.feed import Feed
    from amazon_sandbox.world import Seller, World


def announce_feed_finished(world: "World", seller: "Seller", feed: "Feed") -> None:
    """Of a feed that is over: DONE, FATAL or CANCELLED."""
    finished = {
        "sellerId": seller.selling_partner_id,
        "accountId": f"amzn1.merchant.o.{seller.selling_partner_id}",
        "feedId": feed.job_id,
        "feedType": feed.kind,
        "processingStatus": feed.status,
    }
    if feed.document_id is not None:
        finished["resultFeedDocumentId"] = feed.document_id
    emit(world, seller, "FEED_PROCESSING_FINISHED", {"feedProcessingFinishedNotification": finished})
