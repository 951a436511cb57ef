"""What a subscription's processing directive lets through (FACTS 9.3)."""

from typing import Any

from amazon_sandbox.notifications.registry import Subscription
from amazon_sandbox.notifications.types import ANY_OFFER_CHANGED, ORDER_CHANGE, NotificationType
from amazon_sandbox.wire import invalid_input

_ORDER_CHANGE_TYPES = ("BuyerRequestedChange", "DeliveryTipChange", "OrderStatusChange")
_AGGREGATION_PERIODS = ("FiveMinutes", "TenMinutes")
_LONGEST_EXPRESSION = 256
_FIELDS = {
    ORDER_CHANGE: {"eventFilterType", "orderChangeTypes"},
    ANY_OFFER_CHANGED: {"eventFilterType", "marketplaceIds", "aggregationSettings"},
}


def passes(subscription: Subscription, payload: dict[str, Any]) -> bool:
    """Whether the eventFilter of this subscription wants this payload."""
    event_filter = (subscription.processing_directive or {}).get("eventFilter")
    if event_filter is None:
        return True
    change = payload.get("OrderChangeNotification", payload)
    change_types = event_filter.get("orderChangeTypes")
    if change_types and _member(change, "OrderChangeType") not in change_types:
        return False
    marketplace_ids = event_filter.get("marketplaceIds")
    return not marketplace_ids or _marketplace_of(payload) in marketplace_ids


def checked_directive(kind: NotificationType, directive: Any) -> dict[str, Any] | None:
    """The `processingDirective` as it is kept. Raises SpApiError 400.

    A filterExpression is checked for its length and its brackets and quotes, kept and shown, and lets everything
    through: this Amazon does not evaluate CEL.
    """
    if directive is None:
        return None
    if not isinstance(directive, dict) or set(directive) - {"eventFilter", "filterExpression"}:
        raise invalid_input("processingDirective takes eventFilter or filterExpression.")
    if len(directive) > 1:
        raise invalid_input("eventFilter and filterExpression exclude each other.")
    if "eventFilter" in directive:
        _refuse_event_filter(kind, directive["eventFilter"])
    if "filterExpression" in directive:
        _refuse_expression(directive["filterExpression"])
    return directive


def _refuse_event_filter(kind: NotificationType, event_filter: Any) -> None:
    if not kind.filtered:
        raise invalid_input(f"{kind.name} takes no eventFilter.")  # FACTS 9.3
    if not isinstance(event_filter, dict) or event_filter.get("eventFilterType") != kind.name:
        raise invalid_input(f"eventFilterType must be {kind.name}.")
    unknown = set(event_filter) - _FIELDS[kind.name]
    if unknown:
        raise invalid_input(f"The eventFilter of {kind.name} does not take {', '.join(sorted(unknown))}.")
    change_types = event_filter.get("orderChangeTypes", [])
    if not isinstance(change_types, list) or not all(one in _ORDER_CHANGE_TYPES for one in change_types):
        raise invalid_input(f"orderChangeTypes are of {', '.join(_ORDER_CHANGE_TYPES)}.")
    marketplace_ids = event_filter.get("marketplaceIds", [])
    if not isinstance(marketplace_ids, list) or not all(isinstance(one, str) for one in marketplace_ids):
        raise invalid_input("marketplaceIds is a list of marketplace ids.")
    if "aggregationSettings" in event_filter:
        settings = event_filter["aggregationSettings"]
        if not isinstance(settings, dict) or settings.get("aggregationTimePeriod") not in _AGGREGATION_PERIODS:
            raise invalid_input(f"aggregationTimePeriod is one of {', '.join(_AGGREGATION_PERIODS)}.")


def _refuse_expression(expression: Any) -> None:
    if not isinstance(expression, str) or not 1 <= len(expression) <= _LONGEST_EXPRESSION:
        raise invalid_input(f"filterExpression has 1 to {_LONGEST_EXPRESSION} characters.")
    closing, quote, escaped = "", "", False
    for character in expression:
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and not escaped
        elif character in "'\"":
            quote = character
        elif character in "([{":
            closing = ")]}"["([{".index(character)] + closing
        elif character in ")]}":
            if not closing.startswith(character):
                raise invalid_input("filterExpression is not well-formed.")
            closing = closing[1:]
    if closing or quote:
        raise invalid_input("filterExpression is not well-formed.")


def _marketplace_of(payload: dict[str, Any]) -> str | None:
    """ANY_OFFER_CHANGED names it in its OfferChangeTrigger."""
    trigger = _member(payload.get("AnyOfferChangedNotification"), "OfferChangeTrigger")
    marketplace_id = _member(trigger, "MarketplaceId")
    return marketplace_id if isinstance(marketplace_id, str) else None


def _member(document: Any, name: str) -> Any:
    """A dial tells payloads of any shape: what is no object has no members."""
    return document.get(name) if isinstance(document, dict) else None
