"""What Amazon makes of one write to a listing, by whatever door it came: the Listings Items API or a feed.

Each `..._outcome` function decides and changes nothing; `accept` makes an outcome true (FACTS 5.2 to 5.4, 6.10).
"""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from amazon_sandbox.listings import checks, patches
from amazon_sandbox.listings.attributes import (
    Attributes,
    Instance,
    in_marketplace,
    is_regional,
    marketplace_ids_of,
    needed_selectors,
    selectors_of,
    value_of,
)
from amazon_sandbox.listings.catalogue import Catalogue, snapshot, write_of
from amazon_sandbox.listings.checks import Issue
from amazon_sandbox.listings.fates import incomplete
from amazon_sandbox.marketplaces import Marketplace
from amazon_sandbox.notifications.listing_changes import ListingShows
from amazon_sandbox.wire import encode, invalid_input

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World

_LONGEST_SKU = 40
_ANY_PRODUCT = "PRODUCT"


class PutRequest(msgspec.Struct, rename="camel"):
    """`ListingsItemPutRequest`."""

    product_type: str
    attributes: dict[str, list[dict[str, Any]]]
    requirements: Literal["LISTING", "LISTING_PRODUCT_ONLY", "LISTING_OFFER_ONLY"] = "LISTING"


class PatchRequest(msgspec.Struct, rename="camel"):
    """`ListingsItemPatchRequest`."""

    product_type: str
    patches: list[patches.Patch]


class Held(NamedTuple):
    """What Amazon holds to be true of an SKU; nothing listed is empty attributes."""

    attributes: Attributes
    product_type: str = _ANY_PRODUCT

    @property
    def marketplace_ids(self) -> tuple[str, ...]:
        return marketplace_ids_of(self.attributes)


class Outcome(NamedTuple):
    """Refused when there are `issues`; otherwise `held` is what the write leaves behind, None if nothing changes."""

    issues: list[Issue]
    held: Held | None = None


def held_by(catalogue: Catalogue, sku: str) -> Held:
    listing = catalogue.find(sku)
    state = listing.accepted if listing is not None else None
    return Held(state.attributes(), state.product_type) if state is not None else Held({})


def refuse_impossible_sku(sku: str) -> None:
    if not 1 <= len(sku) <= _LONGEST_SKU:
        raise invalid_input(f"A SKU has 1 to {_LONGEST_SKU} characters.")


def put_outcome(held: Held, request: PutRequest, marketplace: Marketplace) -> Outcome:
    """Everything submitted before for this marketplace is replaced."""
    submitted = {
        name: patches.with_marketplace(name, instances, marketplace.marketplace_id)
        for name, instances in request.attributes.items()
    }
    issues = checks.unknown_attributes(set(submitted))
    if request.requirements != "LISTING_PRODUCT_ONLY":
        issues += checks.required_for_offer(submitted)
    issues += _selector_issues(submitted) or checks.attribute_issues(submitted, marketplace)
    if issues:
        return Outcome(issues)
    attributes = patches.put(held.attributes, submitted, marketplace.marketplace_id)
    return Outcome([], Held(attributes, request.product_type or held.product_type))


def patch_outcome(held: Held, sku: str, request: PatchRequest, marketplace: Marketplace) -> Outcome:
    """Raises SpApiError 400 for a patch that cannot be understood at all."""
    named = _named(request)
    issues = checks.unknown_attributes(set(named)) or _selector_issues(named)
    issues += [found for patch in request.patches for found in _patch_issues(patch, held)]
    if marketplace.marketplace_id not in held.marketplace_ids:
        issues.append(checks.issue("13013", f"The SKU '{sku}' is not in your catalogue.", None, "INVALID_ATTRIBUTE"))
    if issues:
        return Outcome(issues)
    attributes = held.attributes
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
    return Outcome(issues) if issues else Outcome([], Held(attributes, request.product_type or held.product_type))


def delete_outcome(held: Held, marketplace: Marketplace) -> Outcome:
    """Deleting what is not there is answered like success (FACTS 5.1)."""
    if marketplace.marketplace_id not in held.marketplace_ids:
        return Outcome([])
    left = patches.delist(held.attributes, marketplace.marketplace_id)
    return Outcome([], Held(left or {}, held.product_type))


def accept(
    world: "World", seller: "Seller", sku: str, marketplace: Marketplace, operation: str, held: Held, at_ms: int
) -> None:
    """Makes `held` true at `at_ms` (sandbox clock); it comes into sight after the listing delay (FACTS 5.6)."""
    attributes = _with_catalogue_data(world, held.attributes, marketplace) or None
    fate = world.fates.next_for(seller.selling_partner_id, sku, marketplace.marketplace_id)
    if fate is not None and attributes is not None and fate.kind == "incomplete":
        attributes = incomplete(attributes, marketplace.marketplace_id)
    state = snapshot(attributes, held.product_type, at_ms) if attributes is not None else None
    if fate is not None and state is not None and fate.kind == "issues":
        where = {"marketplaceIds": [marketplace.marketplace_id]}
        state = msgspec.structs.replace(state, problems=encode([{**one, **where} for one in fate.issues]))
    write = write_of(at_ms, operation, marketplace.marketplace_id, attributes)
    publication = seller.catalogue.accept(sku, state, write)
    if fate is not None and fate.kind == "never":
        return
    passed_s = (world.clock.now_ms() - at_ms) / 1000
    late_s = fate.seconds if fate is not None and fate.kind == "late" else 0.0
    world.after(max(world.settings.listing_delay_s + late_s - passed_s, 0), ListingShows(seller, publication))


def _with_catalogue_data(world: "World", attributes: Attributes, marketplace: Marketplace) -> Attributes:
    """An offer on an ASIN of the catalogue shows the product's own data where the seller gave none."""
    where = {"marketplace_id": marketplace.marketplace_id}
    asin = value_of(attributes, "merchant_suggested_asin", marketplace.marketplace_id)
    product = world.products.products.get(marketplace.marketplace_id, {}).get(asin) if isinstance(asin, str) else None
    if product is None:
        return attributes
    facts: dict[str, Instance] = {"item_name": {"value": product.title, "language_tag": marketplace.language, **where}}
    if product.brand is not None:
        facts["brand"] = {"value": product.brand, "language_tag": marketplace.language, **where}
    if product.image is not None:
        facts["main_product_image_locator"] = {"media_location": product.image, **where}
    merged = dict(attributes)
    for name, instance in facts.items():
        if not in_marketplace(attributes.get(name, ()), marketplace.marketplace_id):
            merged[name] = [*attributes.get(name, ()), instance]
    return merged


def _named(request: PatchRequest) -> Attributes:
    if not request.patches:
        raise invalid_input("patches needs at least one patch.")
    named: Attributes = {}
    for patch in request.patches:
        if patch.attribute is None:
            raise invalid_input(f"Invalid path provided in patch: {patch.path}")  # FACTS 5.4.1
        if not patch.value:
            raise invalid_input(f"Patch {patch.op} of {patch.path} needs a value: an array of objects.")
        named.setdefault(patch.attribute, []).extend(patch.value)
    return named


def _selector_issues(attributes: Attributes) -> list[Issue]:
    """Selectors are text: anything else selects nothing."""
    return [
        checks.invalid(name, f"{selector} is a string")
        for name, instances in attributes.items()
        for instance in instances
        for selector in selectors_of(name)
        if selector in instance and not isinstance(instance[selector], str)
    ]


def _patch_issues(patch: patches.Patch, held: Held) -> list[Issue]:
    """What merge and delete ask for beyond the other two (FACTS 5.4.3 and 5.4.4)."""
    name = patch.attribute or ""
    if patch.op == "merge" and name not in patches.MERGEABLE:
        return [checks.invalid(name, "merge is not supported for this attribute")]
    if patch.op in ("merge", "delete"):
        for needed in needed_selectors(name, held.attributes.get(name, ())):
            if any(needed not in instance for instance in patch.value or ()):
                return [checks.missing(name, needed)]
    return []
