"""Sellers v1: the marketplaces an account takes part in."""

from amazon_sandbox.calls import Call
from amazon_sandbox.marketplaces import MARKETPLACES
from amazon_sandbox.wire import Answer, json_answer


def get_marketplace_participations(call: Call) -> Answer:
    """`{"payload": [...]}`; the seller id is not in it (FACTS 1.5)."""
    seller = call.seller
    participations = [
        {
            "marketplace": {
                "id": marketplace.marketplace_id,
                "name": marketplace.name,
                "countryCode": marketplace.country_code,
                "defaultCurrencyCode": marketplace.currency,
                "defaultLanguageCode": marketplace.language,
                "domainName": f"www.amazon.{marketplace.domain}",
            },
            "participation": {"isParticipating": True, "hasSuspendedListings": False},
            "storeName": seller.name,
        }
        for marketplace in (MARKETPLACES[marketplace_id] for marketplace_id in seller.marketplace_ids)
    ]
    return json_answer({"payload": participations})
