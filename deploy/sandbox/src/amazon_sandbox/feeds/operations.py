"""createFeedDocument, createFeed, getFeed, getFeeds, cancelFeed and getFeedDocument (FACTS section 6)."""

from functools import partial
from typing import Annotated

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.clock import SECOND_MS
from amazon_sandbox.documents.answers import document_answer, document_of
from amazon_sandbox.documents.presigned import upload_url
from amazon_sandbox.documents.store import awaited_document
from amazon_sandbox.feeds.feed import Feed
from amazon_sandbox.feeds.types import FEED_TYPES, JSON_LISTINGS
from amazon_sandbox.jobs.calls import cancel, found, page_of, refuse_without_role
from amazon_sandbox.wire import Answer, invalid_input, json_answer, quota_exceeded

# FACTS 6.6
JSON_SUBMISSIONS = 5
JSON_WINDOW_MS = 5 * 60 * SECOND_MS

_FIRST_FEED_ID = 50_000_000_000


class FeedDocumentSpecification(msgspec.Struct, rename="camel"):
    content_type: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")]


class FeedSpecification(msgspec.Struct, rename="camel"):
    feed_type: str
    marketplace_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=25)]
    input_feed_document_id: str
    feed_options: dict[str, str] | None = None


def create_feed_document(call: Call) -> Answer:
    """201 `{"feedDocumentId", "url"}`; the upload takes the same content type."""
    content_type = call.read(FeedDocumentSpecification).content_type
    world, now_ms = call.world, call.world.clock.now_ms()
    document = awaited_document((call.seller.region, call.seller.selling_partner_id), content_type, now_ms)
    answer = {"feedDocumentId": document.document_id, "url": upload_url(call.request.base_url, document, now_ms)}
    return json_answer(answer, 201, partial(world.documents.add, document, now_ms))


def create_feed(call: Call) -> Answer:
    """202 `{"feedId"}`."""
    wish = call.read(FeedSpecification)
    world, seller, now_ms = call.world, call.seller, call.world.clock.now_ms()
    if wish.feed_type not in FEED_TYPES:
        raise invalid_input(f"feedType '{wish.feed_type}' is not known here; known: {', '.join(FEED_TYPES)}.")
    refuse_without_role(call, wish.feed_type)
    call.own_marketplaces(wish.marketplace_ids)
    document = document_of(call, wish.input_feed_document_id)
    if document is None or not document.is_input:
        raise invalid_input("inputFeedDocumentId is not a document of this seller.", wish.input_feed_document_id)
    if document.content is None:
        raise invalid_input("Nothing was uploaded to the document of inputFeedDocumentId.", wish.input_feed_document_id)
    if wish.feed_type == JSON_LISTINGS and world.settings.quotas.enabled:
        _refuse_more_than_five(call, now_ms)
    feed = Feed(
        job_id=str(_FIRST_FEED_ID + world.next_job_number()),
        kind=wish.feed_type,
        marketplace_ids=tuple(dict.fromkeys(wish.marketplace_ids)),
        created_ms=now_ms,
        options=wish.feed_options or {},
        input_document_id=document.document_id,
    )
    return json_answer({"feedId": feed.job_id}, 202, partial(seller.feeds.submit, world, seller, feed))


def get_feed(call: Call) -> Answer:
    return json_answer(found(call, call.seller.feeds, "feed").document())


def get_feeds(call: Call) -> Answer:
    owner = f"feeds {call.seller.region} {call.seller.selling_partner_id}"
    return json_answer(page_of(call, call.seller.feeds, "feedTypes", owner).document("feeds"))


def cancel_feed(call: Call) -> Answer:
    return cancel(call, call.seller.feeds, "feed")


def get_feed_document(call: Call) -> Answer:
    """A URL that holds for five minutes; result documents and inputs alike."""
    return document_answer(call, "feedDocumentId")


def _refuse_more_than_five(call: Call, now_ms: int) -> None:
    recent = sum(
        feed.kind == JSON_LISTINGS and feed.created_ms > now_ms - JSON_WINDOW_MS
        for feed in call.seller.feeds.jobs.values()
    )
    if recent >= JSON_SUBMISSIONS:
        raise quota_exceeded()
