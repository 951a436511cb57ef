"""What a subscription's processing directive lets through (FACTS 9.3)."""

from typing import Any

from amazon_sandbox.notifications.registry import Subscription


def passes(subscription: Subscription, payload: dict[str, Any]) -> bool:
    """Whether the eventFilter of this subscription wants this payload."""
    event_filter = (subscription.processing_directive or {}).get("eventFilter")
    if event_filter is None:
        return True
    change = payload.get("OrderChangeNotification", payload)
    change_types = event_filter.get("orderChangeTypes")
    if change_types and change.get("OrderChangeType") not in change_types:
        return False
    marketplace_ids = event_filter.get("marketplaceIds")
    return not marketplace_ids or _marketplace_of(payload) in marketplace_ids


def _marketplace_of(payload: dict[str, Any]) -> str | None:
    """ANY_OFFER_CHANGED names it in its OfferChangeTrigger."""
    offer = payload.get("AnyOfferChangedNotification", {})
    marketplace_id = offer.get("OfferChangeTrigger", {}).get("MarketplaceId") if isinstance(offer, dict) else None
    return marketplace_id if isinstance(marketplace_id, str) else None
