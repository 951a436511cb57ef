"""JSON_LISTINGS_FEED: each message is decided by the rules of the Listings Items API (FACTS 6.9 to 6.11)."""

from typing import Any, NamedTuple

import msgspec

from amazon_sandbox.feeds import messages
from amazon_sandbox.feeds.messages import Header, Message
from amazon_sandbox.feeds.report import ProcessingReport
from amazon_sandbox.feeds.result import MOST_BYTES, Feeding, FileProblem, Result
from amazon_sandbox.jobs.job import DONE, FATAL
from amazon_sandbox.listings import submissions
from amazon_sandbox.listings.checks import Issue, issue
from amazon_sandbox.listings.submissions import Held, Outcome, PatchRequest, PutRequest
from amazon_sandbox.marketplaces import Marketplace
from amazon_sandbox.wire import SpApiError, decode

MOST_MESSAGES = 25_000  # FACTS 6.6
_CONTENT_TYPE = "application/json; charset=UTF-8"


class _Step(NamedTuple):
    """What one accepted message leaves behind in one marketplace."""

    marketplace: Marketplace
    held: Held


def process(feeding: Feeding, content: bytes) -> Result:
    """FATAL when the document as a whole is wrong, otherwise DONE, whatever became of its messages."""
    report = ProcessingReport(feeding)
    try:
        header, raw_messages = _read(feeding, content)
    except FileProblem as problem:
        report.complain({}, [issue("4000003", str(problem), None, None)])
        return Result(FATAL, report.content(None), _CONTENT_TYPE)
    seen: set[int] = set()
    for position, raw in enumerate(raw_messages, start=1):
        if feeding.is_cut_off(position - 1):
            return Result(FATAL, report.content(header), _CONTENT_TYPE)
        _handle(feeding, report, position, raw, seen)
    return Result(DONE, report.content(header), _CONTENT_TYPE)


def _read(feeding: Feeding, content: bytes) -> tuple[Header, list[Any]]:
    if len(content) > MOST_BYTES:
        raise FileProblem(f"The feed is larger than {MOST_BYTES} bytes.")
    try:
        document = decode(content)
    except ValueError as error:
        raise FileProblem(f"The feed is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise FileProblem("The feed is not a JSON object with header and messages.")
    try:
        header = msgspec.convert(document.get("header"), Header)
    except msgspec.ValidationError as error:
        raise FileProblem(f"The header is invalid: {error}") from error
    if header.seller_id != feeding.seller.selling_partner_id:
        raise FileProblem("The sellerId of the header is not the seller who submitted the feed.")
    raw_messages = document.get("messages")
    if not isinstance(raw_messages, list) or not 1 <= len(raw_messages) <= MOST_MESSAGES:
        raise FileProblem(f"messages is an array of 1 to {MOST_MESSAGES} messages.")
    return header, raw_messages


def _handle(feeding: Feeding, report: ProcessingReport, position: int, raw: Any, seen: set[int]) -> None:
    """One message: all its marketplaces or none."""
    try:
        message = messages.read(raw)
        if message.message_id in seen:
            raise SpApiError(400, "4000002", f"messageId {message.message_id} is used twice; each is unique.")
        seen.add(message.message_id)
        if feeding.fate.refuses_message(position, message.sku):
            raise SpApiError(400, "4000000", "This message was refused because a dial asked for it.")
        steps, problems = _steps(feeding, message)
    except SpApiError as error:
        report.refuse(*messages.identity(raw), [issue(error.code, error.message, None, None)])
        return
    if problems:
        report.refuse(message.message_id, message.sku, problems)
        return
    report.accept(message.sku)
    operation = f"{feeding.feed_type} {message.operation_type}"
    for marketplace, held in steps:
        submissions.accept(feeding.world, feeding.seller, message.sku, marketplace, operation, held, feeding.at_ms)


def _steps(feeding: Feeding, message: Message) -> tuple[list[_Step], list[Issue]]:
    """What the message leaves behind in each marketplace, or why it is refused. Raises SpApiError."""
    held = submissions.held_by(feeding.seller.catalogue, message.sku)
    steps: list[_Step] = []
    for marketplace, part in messages.parts(message, feeding.marketplace_ids):
        outcome = _outcome(held, part, marketplace)
        if outcome.issues:
            return [], outcome.issues
        if outcome.held is not None:
            held = outcome.held
            steps.append(_Step(marketplace, held))
    return steps, []


def _outcome(held: Held, message: Message, marketplace: Marketplace) -> Outcome:
    if message.operation_type == "DELETE":
        return submissions.delete_outcome(held, marketplace)
    if message.operation_type == "UPDATE":
        request = PutRequest(message.product_type, message.attributes, message.requirements)
        return submissions.put_outcome(held, request, marketplace)
    wish = PatchRequest(message.product_type, message.patches)
    return submissions.patch_outcome(held, message.sku, wish, marketplace)
