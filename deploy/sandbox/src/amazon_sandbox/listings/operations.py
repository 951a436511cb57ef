"""get, put, patch and delete of one listings item (FACTS 5.1 to 5.4)."""

from functools import partial
from typing import Any
from uuid import uuid4

from amazon_sandbox.calls import Call
from amazon_sandbox.listings.attributes import Attributes
from amazon_sandbox.listings.catalogue import MOST_RENDERED, Listing, Snapshot
from amazon_sandbox.listings.checks import Issue
from amazon_sandbox.listings.documents import DATA_SETS, item
from amazon_sandbox.listings.submissions import (
    Outcome,
    PatchRequest,
    PutRequest,
    accept,
    delete_outcome,
    held_by,
    patch_outcome,
    put_outcome,
    refuse_impossible_sku,
)
from amazon_sandbox.marketplaces import Marketplace
from amazon_sandbox.wire import Answer, SpApiError, encode, invalid_input, json_answer, unauthorized


def get_listings_item(call: Call) -> Answer:
    sku = sku_of(call)
    marketplaces = call.marketplaces()
    included = call.many("includedData", DATA_SETS) or ["summaries"]
    listing = call.seller.catalogue.find(sku)
    state = listing.visible if listing is not None else None
    asked = [marketplace.marketplace_id for marketplace in marketplaces]
    if listing is None or state is None or not any(one in state.marketplace_ids for one in asked):
        raise SpApiError(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {', '.join(asked)}")
    return Answer(200, _rendered(call, listing, state, marketplaces, included))


def _rendered(
    call: Call, listing: Listing, state: Snapshot, marketplaces: list[Marketplace], included: list[str]
) -> bytes:
    """The item's document. The last ones made are kept: a listing is read again and again until a write shows."""
    kept = call.seller.catalogue.rendered
    key = (listing.sku, *(one.marketplace_id for one in marketplaces), *included)
    found = kept.get(key)
    if found is not None and found[0] is state:
        return found[1]
    if len(kept) >= MOST_RENDERED:
        kept.clear()
    document = encode(item(listing, state, marketplaces, included))
    kept[key] = (state, document)
    return document


def put_listings_item(call: Call) -> Answer:
    submission = _Submission(call)
    outcome = put_outcome(submission.held, call.read(PutRequest), submission.marketplace)
    return submission.answer("putListingsItem", outcome)


def patch_listings_item(call: Call) -> Answer:
    submission = _Submission(call)
    outcome = patch_outcome(submission.held, submission.sku, call.read(PatchRequest), submission.marketplace)
    return submission.answer("patchListingsItem", outcome)


def delete_listings_item(call: Call) -> Answer:
    submission = _Submission(call)
    return submission.answer("deleteListingsItem", delete_outcome(submission.held, submission.marketplace))


def sku_of(call: Call) -> str:
    """The SKU of the path, once the token is known to be this seller's."""
    seller_id, sku = call.arguments
    own_listings_only(call, seller_id)
    refuse_impossible_sku(sku)
    return sku


def own_listings_only(call: Call, seller_id: str) -> None:
    if seller_id != call.seller.selling_partner_id:
        raise unauthorized("The seller of the path did not authorize this access token.")


class _Submission:
    """One write by API: the state it starts from, and how its outcome is answered (FACTS 5.2)."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.sku = sku_of(call)
        self.marketplace: Marketplace = call.marketplaces(most=1)[0]
        self._preview = call.one("mode") == "VALIDATION_PREVIEW"
        if call.one("mode") not in (None, "VALIDATION_PREVIEW"):
            raise invalid_input("mode takes VALIDATION_PREVIEW only.")
        self._included = call.many("includedData", ("issues", "identifiers")) or ["issues"]
        if "identifiers" in self._included and not self._preview:
            raise invalid_input("includedData takes identifiers only when mode is VALIDATION_PREVIEW.")  # FACTS 5.1.2
        self.held = held_by(call.seller.catalogue, self.sku)

    def answer(self, operation: str, outcome: Outcome) -> Answer:
        """INVALID with its issues, else ACCEPTED; a preview is VALID and changes nothing."""
        if outcome.issues:
            return json_answer(self._document("INVALID", outcome.issues, {}))
        held = outcome.held
        if held is None:
            return json_answer(self._document("ACCEPTED", [], {}))
        if self._preview:
            return json_answer(self._document("VALID", [], held.attributes))
        world, seller = self._call.world, self._call.seller
        effect = partial(accept, world, seller, self.sku, self.marketplace, operation, held, world.clock.now_ms())
        return json_answer(self._document("ACCEPTED", [], {}), effect=effect)

    def _document(self, status: str, issues: list[Issue], attributes: Attributes) -> dict[str, Any]:
        document = {"sku": self.sku, "status": status, "submissionId": uuid4().hex, "issues": issues}
        if "identifiers" in self._included:
            document["identifiers"] = [
                {"marketplaceId": self.marketplace.marketplace_id, "asin": instance["value"]}
                for instance in attributes.get("merchant_suggested_asin", ())
                if instance.get("marketplace_id") == self.marketplace.marketplace_id
                and isinstance(instance.get("value"), str)
            ]
        return document
