"""searchListingsItems: by identifiers or by window, at most 1000 SKUs a query, in pages of at most 20 (FACTS 5.1.3)."""

from collections.abc import Callable
from heapq import nlargest, nsmallest
from typing import Any

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.clock import parse_iso
from amazon_sandbox.listings.attributes import Attributes
from amazon_sandbox.listings.catalogue import Listing, Snapshot
from amazon_sandbox.listings.documents import DATA_SETS, asin_of, contained_skus, fn_sku_of, item, parent_skus
from amazon_sandbox.listings.issues import issues_in_sight, statuses
from amazon_sandbox.listings.operations import own_listings_only
from amazon_sandbox.marketplaces import Marketplace
from amazon_sandbox.wire import Answer, invalid_input, json_answer

MOST_RESULTS = 1000
_MOST_IDENTIFIERS = 20
_MOST_A_PAGE = 20
_DEFAULT_PAGE = 10

_IDENTIFIER_TYPES = ("ASIN", "EAN", "FNSKU", "GTIN", "ISBN", "JAN", "MINSAN", "SKU", "UPC")
_FILTERS = (
    "marketplaceIds",
    "identifiers",
    "identifiersType",
    "variationParentSku",
    "packageHierarchySku",
    "createdAfter",
    "createdBefore",
    "lastUpdatedAfter",
    "lastUpdatedBefore",
    "withIssueSeverity",
    "withStatus",
    "withoutStatus",
    "sortBy",
    "sortOrder",
)

Found = tuple[Listing, Snapshot]


def search_listings_items(call: Call) -> Answer:
    own_listings_only(call, call.arguments[0])
    marketplaces = call.marketplaces()
    included = call.many("includedData", DATA_SETS) or ["summaries"]
    page_size = call.whole_number("pageSize", _DEFAULT_PAGE, 1, _MOST_A_PAGE)
    filters = page_tokens.fingerprint([call.many(name) for name in _FILTERS])
    offset = page_tokens.start_of_page("pageToken", call.one("pageToken"), filters)
    matching = _matching(call, marketplaces)
    ordered = _ordered(call, matching)
    page = ordered[offset : offset + page_size]
    document: dict[str, Any] = {
        "numberOfResults": len(matching),
        "items": [item(listing, state, marketplaces, included) for listing, state in page],
    }
    pagination = {}
    if offset + page_size < len(ordered):
        pagination["nextToken"] = page_tokens.seal([filters, offset + page_size])
    if offset > 0:
        pagination["previousToken"] = page_tokens.seal([filters, max(offset - page_size, 0)])
    if pagination:
        document["pagination"] = pagination
    return json_answer(document)


def _matching(call: Call, marketplaces: list[Marketplace]) -> list[Found]:
    marketplace_ids = {marketplace.marketplace_id for marketplace in marketplaces}
    in_sight = [
        (listing, state)
        for listing in _candidates(call)
        if (state := listing.visible) is not None and not marketplace_ids.isdisjoint(state.marketplace_ids)
    ]
    for test in _tests(call, marketplaces):
        in_sight = [found for found in in_sight if test(found)]
    return in_sight


def _candidates(call: Call) -> list[Listing]:
    """By SKU it is a look-up; any other way goes through the whole catalogue."""
    catalogue = call.seller.catalogue
    identifiers, kind = call.many("identifiers"), call.one("identifiersType")
    if bool(identifiers) != (kind is not None):
        raise invalid_input("identifiers and identifiersType go together.")
    parents = [name for name in ("variationParentSku", "packageHierarchySku") if call.one(name) is not None]
    if len(parents) + bool(identifiers) > 1:
        raise invalid_input("Only one of identifiers, variationParentSku and packageHierarchySku may be given.")
    if len(identifiers) > _MOST_IDENTIFIERS:
        raise invalid_input(f"identifiers takes at most {_MOST_IDENTIFIERS}.")
    call.many("identifiersType", _IDENTIFIER_TYPES)
    if kind == "SKU":
        found = (catalogue.find(sku) for sku in dict.fromkeys(identifiers))
        return [listing for listing in found if listing is not None]
    return list(catalogue.listings.values())


def _tests(call: Call, marketplaces: list[Marketplace]) -> list[Callable[[Found], bool]]:
    tests: list[Callable[[Found], bool]] = []
    for name, moment_of in (("created", _created_ms), ("lastUpdated", _updated_ms)):
        after, before = _moment(call, f"{name}After"), _moment(call, f"{name}Before")
        if after is not None or before is not None:
            tests.append(_window(moment_of, after, before))
    for name, related in (("variationParentSku", parent_skus), ("packageHierarchySku", contained_skus)):
        sku = call.one(name)
        if sku is not None:
            tests.append(_related(related, sku, marketplaces))
    kind = call.one("identifiersType")
    if kind is not None and kind != "SKU":
        wanted = set(call.many("identifiers"))
        tests.append(lambda found: not wanted.isdisjoint(_identifiers(found[1], kind, marketplaces)))
    with_status = set(call.many("withStatus", ("BUYABLE", "DISCOVERABLE")))
    without_status = set(call.many("withoutStatus", ("BUYABLE", "DISCOVERABLE")))
    if with_status or without_status:
        tests.append(lambda found: _status_fits(found[1], marketplaces, with_status, without_status))
    severities = call.many("withIssueSeverity", ("WARNING", "ERROR"))
    if severities:
        tests.append(lambda found: any(issue["severity"] in severities for issue in _issues(found[1], marketplaces)))
    return tests


def _ordered(call: Call, matching: list[Found]) -> list[Found]:
    sort_by = call.many("sortBy", ("sku", "createdDate", "lastUpdatedDate")) or ["lastUpdatedDate"]
    ascending = call.many("sortOrder", ("ASC", "DESC")) == ["ASC"]

    def key(found: Found) -> tuple[int, str]:
        listing, state = found
        moment_ms = {"sku": 0, "createdDate": listing.created_ms, "lastUpdatedDate": state.updated_ms}[sort_by[0]]
        return moment_ms, listing.sku

    return (nsmallest if ascending else nlargest)(MOST_RESULTS, matching, key)


def _created_ms(found: Found) -> int:
    return found[0].created_ms


def _updated_ms(found: Found) -> int:
    return found[1].updated_ms


def _moment(call: Call, name: str) -> int | None:
    text = call.one(name)
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError as error:
        raise invalid_input(f"{name} is not an ISO 8601 time.") from error


def _window(moment_of: Callable[[Found], int], after: int | None, before: int | None) -> Callable[[Found], bool]:
    def inside(found: Found) -> bool:
        moment_ms = moment_of(found)
        return (after is None or moment_ms >= after) and (before is None or moment_ms <= before)

    return inside


def _related(
    related: Callable[[Attributes, Marketplace], list[str]], sku: str, marketplaces: list[Marketplace]
) -> Callable[[Found], bool]:
    """Listings that stand in this relation to `sku`."""

    def test(found: Found) -> bool:
        attributes = found[1].attributes()
        return any(sku in related(attributes, marketplace) for marketplace in marketplaces)

    return test


def _identifiers(state: Snapshot, kind: str, marketplaces: list[Marketplace]) -> set[str]:
    attributes = state.attributes()
    if kind in ("ASIN", "FNSKU"):
        of = asin_of if kind == "ASIN" else fn_sku_of
        return {found for marketplace in marketplaces if (found := of(attributes, marketplace)) is not None}
    return {
        instance["value"]
        for instance in attributes.get("externally_assigned_product_identifier", ())
        if isinstance(instance.get("value"), str) and str(instance.get("type", "")).upper() == kind
    }


def _status_fits(state: Snapshot, marketplaces: list[Marketplace], wanted: set[str], unwanted: set[str]) -> bool:
    attributes = state.attributes()
    present = {status for marketplace in marketplaces for status in statuses(attributes, marketplace, state)}
    return (not wanted or not wanted.isdisjoint(present)) and unwanted.isdisjoint(present)


def _issues(state: Snapshot, marketplaces: list[Marketplace]) -> list[dict[str, Any]]:
    attributes = state.attributes()
    return [found for marketplace in marketplaces for found in issues_in_sight(attributes, marketplace, state)]
