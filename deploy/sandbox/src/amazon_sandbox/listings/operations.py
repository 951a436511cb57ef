"""get, put, patch and delete of one listings item (FACTS 5.1 to 5.4)."""

from typing import Any, Literal, TypeVar
from uuid import uuid4

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.listings import checks, patches
from amazon_sandbox.listings.attributes import Attributes, is_regional, selectors_of
from amazon_sandbox.listings.catalogue import Snapshot, snapshot, write_of
from amazon_sandbox.listings.checks import Issue
from amazon_sandbox.listings.documents import DATA_SETS, item
from amazon_sandbox.marketplaces import Marketplace
from amazon_sandbox.notifications.listing_changes import publish_and_tell
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer, unauthorized

_Shape = TypeVar("_Shape")
_LONGEST_SKU = 40
_NOTHING_LISTED: Attributes = {}


class PutRequest(msgspec.Struct, rename="camel"):
    """`ListingsItemPutRequest`."""

    product_type: str
    attributes: dict[str, list[dict[str, Any]]]
    requirements: Literal["LISTING", "LISTING_PRODUCT_ONLY", "LISTING_OFFER_ONLY"] = "LISTING"


class PatchRequest(msgspec.Struct, rename="camel"):
    """`ListingsItemPatchRequest`."""

    product_type: str
    patches: list[patches.Patch]


def get_listings_item(call: Call) -> Answer:
    sku = sku_of(call)
    marketplaces = call.marketplaces()
    included = call.many("includedData", DATA_SETS) or ["summaries"]
    listing = call.seller.catalogue.find(sku)
    state = listing.visible if listing is not None else None
    asked = [marketplace.marketplace_id for marketplace in marketplaces]
    if listing is None or state is None or not any(one in state.marketplace_ids for one in asked):
        raise SpApiError(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {', '.join(asked)}")
    return json_answer(item(listing, state, marketplaces, included))


def put_listings_item(call: Call) -> Answer:
    sku = sku_of(call)
    marketplace = call.marketplaces(most=1)[0]
    submission = _Submission(call, sku, marketplace)
    request = _read(call, PutRequest)
    submitted = {
        name: patches.with_marketplace(name, instances, marketplace.marketplace_id)
        for name, instances in request.attributes.items()
    }
    issues = checks.unknown_attributes(set(submitted))
    if request.requirements != "LISTING_PRODUCT_ONLY":
        issues += checks.required_for_offer(submitted)
    issues += _selector_issues(submitted) or checks.attribute_issues(submitted, marketplace)
    if issues:
        return submission.refused(issues)
    attributes = patches.put(submission.attributes, submitted, marketplace.marketplace_id)
    return submission.taken("putListingsItem", attributes, request.product_type)


def patch_listings_item(call: Call) -> Answer:
    sku = sku_of(call)
    marketplace = call.marketplaces(most=1)[0]
    submission = _Submission(call, sku, marketplace)
    request = _read(call, PatchRequest)
    if not request.patches:
        raise invalid_input("patches needs at least one patch.")
    named: Attributes = {}
    for patch in request.patches:
        if patch.attribute is None:
            raise invalid_input(f"Invalid path provided in patch: {patch.path}")  # FACTS 5.4.1
        if not patch.value:
            raise invalid_input(f"Patch {patch.op} of {patch.path} needs a value: an array of objects.")
        named.setdefault(patch.attribute, []).extend(patch.value)
    issues = checks.unknown_attributes(set(named)) or _selector_issues(named)
    issues += [found for patch in request.patches for found in _patch_issues(patch)]
    if marketplace.marketplace_id not in submission.marketplace_ids:
        issues.append(checks.issue("13013", f"The SKU '{sku}' is not in your catalogue.", None, "INVALID_ATTRIBUTE"))
    if issues:
        return submission.refused(issues)
    attributes = submission.attributes
    for patch in request.patches:
        attributes = patches.apply(attributes, patch, marketplace.marketplace_id)
    touched = {
        name: [
            one
            for one in attributes[name]
            if is_regional(name) or one.get("marketplace_id") == marketplace.marketplace_id
        ]
        for name in named
        if name in attributes
    }
    issues = checks.attribute_issues(touched, marketplace)
    issues += [
        checks.invalid(name, "marketplace_id is not the one of the request")
        for name, instances in named.items()
        if not is_regional(name)
        and any(
            one.get("marketplace_id", marketplace.marketplace_id) != marketplace.marketplace_id for one in instances
        )
    ]
    if issues:
        return submission.refused(issues)
    return submission.taken("patchListingsItem", attributes, request.product_type)


def delete_listings_item(call: Call) -> Answer:
    """Deleting what is not there is answered like success (FACTS 5.1)."""
    sku = sku_of(call)
    marketplace = call.marketplaces(most=1)[0]
    submission = _Submission(call, sku, marketplace)
    if marketplace.marketplace_id not in submission.marketplace_ids:
        return submission.accepted(())
    attributes = patches.delist(submission.attributes, marketplace.marketplace_id)
    return submission.taken("deleteListingsItem", attributes, None)


def sku_of(call: Call) -> str:
    """The SKU of the path, once the token is known to be this seller's."""
    seller_id, sku = call.arguments
    own_listings_only(call, seller_id)
    if not 1 <= len(sku) <= _LONGEST_SKU:
        raise invalid_input(f"A SKU has 1 to {_LONGEST_SKU} characters.")
    return sku


def own_listings_only(call: Call, seller_id: str) -> None:
    if seller_id != call.seller.selling_partner_id:
        raise unauthorized("The seller of the path did not authorize this access token.")


class _Submission:
    """One write: the state it starts from, and its three possible answers (FACTS 5.2)."""

    def __init__(self, call: Call, sku: str, marketplace: Marketplace) -> None:
        self._call = call
        self._sku = sku
        self._marketplace_id = marketplace.marketplace_id
        self._preview = call.one("mode") == "VALIDATION_PREVIEW"
        if call.one("mode") not in (None, "VALIDATION_PREVIEW"):
            raise invalid_input("mode takes VALIDATION_PREVIEW only.")
        self._included = call.many("includedData", ("issues", "identifiers")) or ["issues"]
        if "identifiers" in self._included and not self._preview:
            raise invalid_input("includedData takes identifiers only when mode is VALIDATION_PREVIEW.")  # FACTS 5.1.2
        listing = call.seller.catalogue.find(sku)
        self._before: Snapshot | None = listing.accepted if listing is not None else None
        self.attributes = self._before.attributes() if self._before is not None else _NOTHING_LISTED
        self.marketplace_ids = self._before.marketplace_ids if self._before is not None else ()

    def refused(self, issues: list[Issue]) -> Answer:
        return self._answer("INVALID", issues)

    def accepted(self, issues: tuple[Issue, ...]) -> Answer:
        return self._answer("ACCEPTED", list(issues))

    def taken(self, operation: str, attributes: Attributes | None, product_type: str | None) -> Answer:
        """ACCEPTED, or VALID in a preview, which changes nothing."""
        if self._preview:
            return self._answer("VALID", [], attributes)
        world, seller = self._call.world, self._call.seller
        before, sku, marketplace_id = self._before, self._sku, self._marketplace_id

        def effect() -> None:
            now_ms = world.clock.now_ms()
            kind = product_type or (before.product_type if before is not None else "PRODUCT")
            state = snapshot(attributes, kind, now_ms) if attributes is not None else None
            publication = seller.catalogue.accept(sku, state, write_of(now_ms, operation, marketplace_id, attributes))
            world.after(world.settings.listing_delay_s, lambda: publish_and_tell(world, seller, publication))

        return json_answer(self._document("ACCEPTED", []), effect=effect)

    def _answer(self, status: str, issues: list[Issue], attributes: Attributes | None = None) -> Answer:
        document = self._document(status, issues)
        if "identifiers" in self._included:
            document["identifiers"] = [
                {"marketplaceId": self._marketplace_id, "asin": instance["value"]}
                for instance in (attributes or {}).get("merchant_suggested_asin", ())
                if instance.get("marketplace_id") == self._marketplace_id and isinstance(instance.get("value"), str)
            ]
        return json_answer(document)

    def _document(self, status: str, issues: list[Issue]) -> dict[str, Any]:
        return {"sku": self._sku, "status": status, "submissionId": uuid4().hex, "issues": issues}


def _read(call: Call, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.convert(call.document(), shape)
    except msgspec.ValidationError as error:
        raise invalid_input("Request body does not have the expected shape.", str(error)) from error


def _selector_issues(attributes: Attributes) -> list[Issue]:
    """Selectors are text: anything else selects nothing."""
    return [
        checks.invalid(name, f"{selector} is a string")
        for name, instances in attributes.items()
        for instance in instances
        for selector in selectors_of(name)
        if selector in instance and not isinstance(instance[selector], str)
    ]


def _patch_issues(patch: patches.Patch) -> list[Issue]:
    """What merge and delete ask for beyond the other two (FACTS 5.4.3 and 5.4.4)."""
    name = patch.attribute or ""
    if patch.op == "merge" and name not in patches.MERGEABLE:
        return [checks.invalid(name, "merge is not supported for this attribute")]
    if patch.op in ("merge", "delete"):
        needed = "fulfillment_channel_code" if is_regional(name) else "marketplace_id"
        if any(needed not in instance for instance in patch.value or ()):
            return [checks.missing(name, needed)]
    return []
