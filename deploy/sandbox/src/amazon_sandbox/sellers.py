"""Sellers v1: the account, and the marketplaces it takes part in."""

from typing import Any

from amazon_sandbox.calls import Call
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.wire import Answer, json_answer


def get_marketplace_participations(call: Call) -> Answer:
    """`{"payload": [...]}`; the seller id is not in it (FACTS 1.5)."""
    return json_answer({"payload": _participations(call)})


def get_account(call: Call) -> Answer:
    """`{"payload": {"businessType", "sellingPlan", "business", "marketplaceParticipationList"}}`"""
    name = call.seller.name
    country = MARKETPLACES[call.seller.marketplace_ids[0]].country_code
    account = {
        "businessType": "PRIVATE_LIMITED",
        "sellingPlan": "PROFESSIONAL",
        "business": {
            "name": name,
            "registeredBusinessAddress": {"addressLine1": "1 Sandbox Row", "countryCode": country},
        },
        "marketplaceParticipationList": _participations(call),
    }
    return json_answer({"payload": account})


def _participations(call: Call) -> list[dict[str, Any]]:
    seller = call.seller
    participations: list[dict[str, Any]] = [
        {
            "marketplace": _marketplace(MARKETPLACES[marketplace_id]),
            "participation": {"isParticipating": True, "hasSuspendedListings": False},
            "storeName": seller.name,
        }
        for marketplace_id in seller.marketplace_ids
    ]
    if seller.has_non_amazon_store:  # FACTS 1.5: such entries are no Amazon store
        first = participations[0]["marketplace"]
        other = {**first, "id": "A38D8NSA03LJTC", "name": "Non-Amazon", "domainName": "siprod.stores.example"}
        participations.append({**participations[0], "marketplace": other})
    return participations


def _marketplace(marketplace: Marketplace) -> dict[str, str]:
    return {
        "id": marketplace.marketplace_id,
        "name": marketplace.name,
        "countryCode": marketplace.country_code,
        "defaultCurrencyCode": marketplace.currency,
        "defaultLanguageCode": marketplace.language,
        "domainName": f"www.amazon.{marketplace.domain}",
    }
