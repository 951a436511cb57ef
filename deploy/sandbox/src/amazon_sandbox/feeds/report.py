"""The processing report 2.0 of a JSON_LISTINGS_FEED (FACTS 6.11)."""

from typing import Any

from amazon_sandbox.feeds.messages import Header
from amazon_sandbox.feeds.result import Feeding
from amazon_sandbox.listings.checks import Issue
from amazon_sandbox.listings.documents import item
from amazon_sandbox.listings.issues import issues_in_sight
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.wire import encode

VERSION = "2.0"


class ProcessingReport:
    """Grows with each message."""

    def __init__(self, feeding: Feeding) -> None:
        self._feeding = feeding
        self._issues: list[dict[str, Any]] = []
        self._accepted = 0
        self._invalid = 0
        self._skus: dict[str, None] = {}  # accepted, in order

    def accept(self, sku: str) -> None:
        self._accepted += 1
        self._skus[sku] = None

    def refuse(self, message_id: int | None, sku: str | None, problems: list[Issue]) -> None:
        self._invalid += 1
        about = {"messageId": message_id} if message_id is not None else {}
        self.complain({**about, **({"sku": sku} if sku else {})}, problems)

    def complain(self, about: dict[str, Any], problems: list[Issue]) -> None:
        """`about` is empty for the file as a whole."""
        for problem in problems:
            found = {**about, **{name: problem[name] for name in ("code", "severity", "message")}}
            if problem.get("attributeNames"):
                found["attributeName"] = problem["attributeNames"][0]  # one string here, an array in the API
            self._issues.append(found)

    def content(self, header: Header | None) -> bytes:
        feeding = self._feeding
        report_header: dict[str, Any] = {
            "sellerId": feeding.seller.selling_partner_id,
            "version": VERSION,
            "feedId": feeding.feed_id,
        }
        severities = [found["severity"] for found in self._issues]
        summary: dict[str, Any] = {
            "errors": severities.count("ERROR"),
            "warnings": severities.count("WARNING"),
            "messagesProcessed": self._accepted + self._invalid,
            "messagesAccepted": self._accepted,
            "messagesInvalid": self._invalid,
        }
        document: dict[str, Any] = {"header": report_header, "issues": self._issues, "summary": summary}
        if header is not None and header.report is not None:
            report_header["report"] = header.report
            summary["itemSummary"], document["items"] = self._items(header.report.included_data)
        return encode(document)

    def _items(self, included: list[str]) -> tuple[dict[str, int], list[dict[str, Any]]]:
        """The listings as they are once the messages are applied, in sight or not, and how they fare."""
        catalogue = self._feeding.seller.catalogue
        marketplaces = [MARKETPLACES[marketplace_id] for marketplace_id in self._feeding.marketplace_ids]
        items: list[dict[str, Any]] = []
        severities: list[str] = []
        for sku in self._skus:
            listing = catalogue.find(sku)
            state = listing.accepted if listing is not None else None
            if listing is None or state is None:
                continue
            items.append(item(listing, state, marketplaces, included))
            attributes = state.attributes()
            severities += [
                found["severity"]
                for marketplace in marketplaces
                if marketplace.marketplace_id in state.marketplace_ids
                for found in issues_in_sight(attributes, marketplace, state)
            ]
        errors, warnings = severities.count("ERROR"), severities.count("WARNING")
        return {"items": len(items), "errors": errors, "warnings": warnings}, items
