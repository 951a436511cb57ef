"""Listings Restrictions 2021-08-01: may this seller list this ASIN (FACTS 5, end)."""

import re
from typing import Any

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.catalog.products import find_product
from amazon_sandbox.listings.attributes import CONDITION_TYPES
from amazon_sandbox.listings.operations import own_listings_only
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.wire import Answer, SpApiError, encode, invalid_input, json_answer

_ASIN = re.compile(r"[A-Z0-9]{10}")
REASON_CODES = ("APPROVAL_REQUIRED", "ASIN_NOT_FOUND", "NOT_ELIGIBLE")
_MESSAGES = {
    "APPROVAL_REQUIRED": "You need approval to list this product.",
    "ASIN_NOT_FOUND": "The ASIN does not exist in this store.",
    "NOT_ELIGIBLE": "You are not eligible to list this product.",
}


class Restriction(msgspec.Struct, frozen=True):
    """One that a dial has made; without a condition it holds for every one."""

    selling_partner_id: str
    marketplace_id: str
    asin: str
    reason_code: str
    condition_type: str | None = None
    message: str | None = None


def get_listings_restrictions(call: Call) -> Answer:
    """`{"restrictions": [...]}`; an empty list is a yes. A refusal is a bare list of errors, as in the model."""
    try:
        return json_answer({"restrictions": _restrictions(call)})
    except SpApiError as error:
        if error.status != 400:
            raise
        return Answer(400, encode([{"code": "BAD_REQUEST", "message": error.message, "details": error.details}]))


def _restrictions(call: Call) -> list[dict[str, Any]]:
    asin = call.one("asin") or ""
    if not _ASIN.fullmatch(asin):
        raise invalid_input("Invalid 'asin' provided.")
    seller_id = call.one("sellerId")
    if seller_id is None:
        raise invalid_input("Missing required parameter sellerId.")
    own_listings_only(call, seller_id)
    marketplace_ids = call.regional_marketplace_ids()
    conditions = call.many("conditionType", CONDITION_TYPES)
    found = []
    for marketplace_id in marketplace_ids:
        if call.world.products.is_kept(marketplace_id) and find_product(call.world, marketplace_id, asin) is None:
            found.append({"marketplaceId": marketplace_id, "reasons": [_reason("ASIN_NOT_FOUND", None, asin, "")]})
        found += [
            _document(one)
            for one in call.world.restrictions
            if (one.selling_partner_id, one.marketplace_id, one.asin) == (seller_id, marketplace_id, asin)
            and (not conditions or one.condition_type in (None, *conditions))
        ]
    return found


def _document(restriction: Restriction) -> dict[str, Any]:
    domain = MARKETPLACES[restriction.marketplace_id].domain
    reason = _reason(restriction.reason_code, restriction.message, restriction.asin, domain)
    document: dict[str, Any] = {"marketplaceId": restriction.marketplace_id, "reasons": [reason]}
    if restriction.condition_type is not None:
        document["conditionType"] = restriction.condition_type
    return document


def _reason(code: str, message: str | None, asin: str, domain: str) -> dict[str, Any]:
    """Only what can be approved has a link to the path forward."""
    reason: dict[str, Any] = {"message": message or _MESSAGES[code], "reasonCode": code}
    if code == "APPROVAL_REQUIRED":
        resource = f"https://sellercentral.amazon.{domain}/hz/approvalrequest?asin={asin}"
        title = "Request Approval via Seller Central."
        reason["links"] = [{"resource": resource, "verb": "GET", "title": title, "type": "text/html"}]
    return reason
