"""Listings Items API 2021-08-01: read, patch, put, delete and search items, and the patches that keep siblings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from common.amazon.client import AmazonClient, Fence, Seller, encode
from common.amazon.listing import MERCHANT_FULFILLED, Item, Submission
from common.amazon.operations import (
    DELETE_LISTINGS_ITEM,
    GET_LISTINGS_ITEM,
    PATCH_LISTINGS_ITEM,
    PUT_LISTINGS_ITEM,
    SEARCH_LISTINGS_ITEMS,
    Operation,
)
from common.amazon.values import Quantity, Shape, wire_time

SKUS_PER_SEARCH = 20
# Amazon pages no further through one query: slice by date, or take the report (FACTS 5.1.3).
RESULTS_PER_QUERY = 1000

Mode = Literal["VALIDATION_PREVIEW"]
Requirements = Literal["LISTING", "LISTING_PRODUCT_ONLY", "LISTING_OFFER_ONLY"]


class Patch(Shape, frozen=True):
    """One change of one top-level attribute; a deeper path is refused (FACTS 5.4.1). `value` is always a list."""

    op: Literal["add", "replace", "merge", "delete"]
    path: str
    value: list[dict[str, Any]]


class ItemsPage(Shape, frozen=True):
    """A page of a search; `next_token` is None on the last one."""

    items: tuple[Item, ...]
    number_of_results: Quantity
    next_token: str | None


def quantity_patch(
    quantity: int,
    *,
    fulfillment_channel_code: str = MERCHANT_FULFILLED,
    lead_time_to_ship_max_days: int | None = None,
) -> Patch:
    """Sets the quantity and keeps lead time and restock date: a merge with its selector (FACTS 5.4.3, 5.4.5)."""
    value: dict[str, Any] = {"fulfillment_channel_code": fulfillment_channel_code, "quantity": quantity}
    if lead_time_to_ship_max_days is not None:
        value["lead_time_to_ship_max_days"] = lead_time_to_ship_max_days
    return Patch(op="merge", path="/attributes/fulfillment_availability", value=[value])


def delete_fulfillment_patch(fulfillment_channel_code: str) -> Patch:
    """Removes a fulfilment channel's entry: a switch adds the new one beside the old (FACTS 5.4.2, 5.4.4)."""
    return Patch(
        op="delete",
        path="/attributes/fulfillment_availability",
        value=[{"fulfillment_channel_code": fulfillment_channel_code}],
    )


def price_patch(offer: Mapping[str, Any], price: Decimal) -> Patch:
    """Sets `our_price` and keeps everything else of the offer: a replace drops what it does not carry (FACTS 5.4.2).

    `offer`: the whole instance, read just before (`offer_of`); for a first price the selectors alone
    (`marketplace_id`, `currency`, `audience`).
    """
    match offer.get("our_price"):
        case [{"schedule": [first, *later]} as our_price, *others]:
            schedule = [{**first, "value_with_tax": price}, *later]
            prices = [{**our_price, "schedule": schedule}, *others]
        case _:
            prices = [{"schedule": [{"value_with_tax": price}]}]
    return Patch(op="replace", path="/attributes/purchasable_offer", value=[{**offer, "our_price": prices}])


async def get_listings_item(
    client: AmazonClient,
    seller: Seller,
    sku: str,
    *,
    marketplace_id: str,
    included_data: Sequence[str] = ("summaries", "attributes", "issues", "offers", "fulfillmentAvailability"),
    max_wait: float | None = None,
) -> Item:
    """One item. Raises `NotFound`, also for minutes after its first put (FACTS 5.6.2)."""
    query = {"marketplaceIds": marketplace_id, "includedData": ",".join(included_data)}
    return await client.call(
        GET_LISTINGS_ITEM, seller, path=_item(seller, sku), query=query, into=Item, max_wait=max_wait
    )


async def patch_listings_item(
    client: AmazonClient,
    seller: Seller,
    sku: str,
    *,
    marketplace_id: str,
    product_type: str,
    patches: Sequence[Patch],
    mode: Mode | None = None,
    max_wait: float | None = None,
    fence: Fence | None = None,
) -> Submission:
    """Changes some attributes. A 200 may say `INVALID`: read the submission's status and issues (FACTS 5.2)."""
    body = encode({"productType": product_type, "patches": patches})
    return await _submit(client, PATCH_LISTINGS_ITEM, seller, sku, marketplace_id, body, mode, max_wait, fence)


async def put_listings_item(
    client: AmazonClient,
    seller: Seller,
    sku: str,
    *,
    marketplace_id: str,
    product_type: str,
    requirements: Requirements,
    attributes: Mapping[str, Any],
    mode: Mode | None = None,
    max_wait: float | None = None,
) -> Submission:
    """Creates or replaces the item: attributes left out are removed (FACTS 5.2)."""
    body = encode({"productType": product_type, "requirements": requirements, "attributes": attributes})
    return await _submit(client, PUT_LISTINGS_ITEM, seller, sku, marketplace_id, body, mode, max_wait)


async def delete_listings_item(
    client: AmazonClient, seller: Seller, sku: str, *, marketplace_id: str, max_wait: float | None = None
) -> Submission:
    """Deletes the item; done only when getListingsItem answers 404. An unknown SKU may be answered like success."""
    return await _submit(client, DELETE_LISTINGS_ITEM, seller, sku, marketplace_id, None, None, max_wait)


async def search_listings_items(
    client: AmazonClient,
    seller: Seller,
    *,
    marketplace_id: str,
    skus: Sequence[str] = (),
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    last_updated_after: datetime | None = None,
    last_updated_before: datetime | None = None,
    sort_by: Literal["sku", "createdDate", "lastUpdatedDate"] | None = None,
    sort_order: Literal["ASC", "DESC"] | None = None,
    included_data: Sequence[str] = ("summaries", "attributes", "offers", "fulfillmentAvailability"),
    page_size: int = 20,
    page_token: str | None = None,
    max_wait: float | None = None,
) -> ItemsPage:
    """A page of the seller's items: those of `skus` (at most 20), or all, of which Amazon shows the first 1,000.

    Raises ValueError for too many SKUs and for one with a comma, which the query's list cannot carry: get that one.
    """
    if len(skus) > SKUS_PER_SEARCH:
        raise ValueError(f"at most {SKUS_PER_SEARCH} SKUs per search")
    if any("," in sku for sku in skus):
        raise ValueError("a SKU with a comma cannot be searched for, only read")
    query = {"marketplaceIds": marketplace_id, "includedData": ",".join(included_data), "pageSize": str(page_size)}
    if skus:
        query |= {"identifiers": ",".join(skus), "identifiersType": "SKU"}
    times = {
        "createdAfter": created_after,
        "createdBefore": created_before,
        "lastUpdatedAfter": last_updated_after,
        "lastUpdatedBefore": last_updated_before,
    }
    query |= {name: wire_time(moment) for name, moment in times.items() if moment is not None}
    texts = {"sortBy": sort_by, "sortOrder": sort_order, "pageToken": page_token}
    query |= {name: text for name, text in texts.items() if text is not None}
    answer = await client.call(
        SEARCH_LISTINGS_ITEMS,
        seller,
        path={"sellerId": seller.selling_partner_id},
        query=query,
        into=_SearchAnswer,
        max_wait=max_wait,
    )
    next_token = answer.pagination.next_token if answer.pagination else None
    return ItemsPage(items=answer.items, number_of_results=answer.number_of_results, next_token=next_token or None)


class _Pagination(Shape, frozen=True):
    next_token: str | None = None


class _SearchAnswer(Shape, frozen=True):
    items: tuple[Item, ...]
    number_of_results: Quantity
    pagination: _Pagination | None = None


def _item(seller: Seller, sku: str) -> dict[str, str]:
    return {"sellerId": seller.selling_partner_id, "sku": sku}


async def _submit(
    client: AmazonClient,
    operation: Operation,
    seller: Seller,
    sku: str,
    marketplace_id: str,
    body: bytes | None,
    mode: Mode | None,
    max_wait: float | None,
    fence: Fence | None = None,
) -> Submission:
    query = {"marketplaceIds": marketplace_id}
    if mode is not None:
        query |= {"mode": mode, "includedData": "issues,identifiers"}
    return await client.call(
        operation,
        seller,
        path=_item(seller, sku),
        query=query,
        body=body,
        into=Submission,
        max_wait=max_wait,
        fence=fence,
    )
