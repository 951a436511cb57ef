"""get, put, patch and delete of one listings item (FACTS 5.1 to 5.4)."""

from typing import Any
from uuid import uuid4

from amazon_sandbox.calls import Call
from amazon_sandbox.listings.attributes import Attributes
from amazon_sandbox.listings.catalogue import MOST_RENDERED, Listing, Snapshot
from amazon_sandbox.listings.checks import Issue
from amazon_sandbox.listings.documents import DATA_SETS, asin_of, item
from amazon_sandbox.listings.patches import patches_not_meant_for
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

_Decided = tuple[Marketplace, Outcome]


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
    submission = _Submission(call, most=1)
    (marketplace,) = submission.marketplaces
    outcome = put_outcome(submission.held, call.read(PutRequest), marketplace)
    return submission.answer("putListingsItem", [(marketplace, outcome)])


def patch_listings_item(call: Call) -> Answer:
    """In all marketplaces of the request or in none: the model no longer says how many there may be (FACTS 5.1)."""
    submission = _Submission(call)
    request, held = call.read(PatchRequest), submission.held
    outcomes: list[_Decided] = []
    for marketplace in submission.marketplaces:
        others = [one.marketplace_id for one in submission.marketplaces if one is not marketplace]
        mine = patches_not_meant_for(others, request.patches)
        if mine or not request.patches:
            part = PatchRequest(request.product_type, mine)
            outcome = patch_outcome(held, submission.sku, part, marketplace)
            held = outcome.held or held
            outcomes.append((marketplace, outcome))
    return submission.answer("patchListingsItem", outcomes)


def delete_listings_item(call: Call) -> Answer:
    submission = _Submission(call, most=1)
    (marketplace,) = submission.marketplaces
    return submission.answer("deleteListingsItem", [(marketplace, delete_outcome(submission.held, marketplace))])


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

    def __init__(self, call: Call, most: int | None = None) -> None:
        self._call = call
        self.sku = sku_of(call)
        self.marketplaces = list({one.marketplace_id: one for one in call.marketplaces(most)}.values())
        self._preview = call.one("mode") == "VALIDATION_PREVIEW"
        if call.one("mode") not in (None, "VALIDATION_PREVIEW"):
            raise invalid_input("mode takes VALIDATION_PREVIEW only.")
        self._included = call.many("includedData", ("issues", "identifiers")) or ["issues"]
        if "identifiers" in self._included and not self._preview:
            raise invalid_input("includedData takes identifiers only when mode is VALIDATION_PREVIEW.")  # FACTS 5.1.2
        self.held = held_by(call.seller.catalogue, self.sku)

    def answer(self, operation: str, outcomes: list[_Decided]) -> Answer:
        """INVALID with its issues, else ACCEPTED; a preview is VALID and changes nothing."""
        issues = [issue for _, outcome in outcomes for issue in outcome.issues]
        if issues:
            return json_answer(self._document("INVALID", issues, {}))
        steps = [(marketplace, outcome.held) for marketplace, outcome in outcomes if outcome.held is not None]
        if not steps:
            return json_answer(self._document("ACCEPTED", [], {}))
        if self._preview:
            return json_answer(self._document("VALID", [], steps[-1][1].attributes))
        world, seller, now_ms = self._call.world, self._call.seller, self._call.world.clock.now_ms()

        def effect() -> None:
            for marketplace, held in steps:
                accept(world, seller, self.sku, marketplace, operation, held, now_ms)

        return json_answer(self._document("ACCEPTED", [], {}), effect=effect)

    def _document(self, status: str, issues: list[Issue], attributes: Attributes) -> dict[str, Any]:
        document = {"sku": self.sku, "status": status, "submissionId": uuid4().hex, "issues": issues}
        if "identifiers" in self._included:
            document["identifiers"] = [
                {"marketplaceId": marketplace.marketplace_id, "asin": asin}
                for marketplace in self.marketplaces
                if (asin := asin_of(attributes, marketplace)) is not None
            ]
        return document
