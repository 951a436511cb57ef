"""What an answer or a look at Amazon makes of a listing's open write. Pure: changes the given rows, no I/O.

Only a look closes a write: ACCEPTED is not success (MISSION B15).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from common.contracts.listings import ListingLinkBroken
from listings_service import lifecycle
from listings_service.models import Variant
from listings_service.planner import Plan
from listings_service.seen import Seen
from listings_service.sending import Outcome, Part, Refusal

# How soon a listing whose write never showed is written again.
_PAUSE_AFTER_ALARM = timedelta(minutes=1)

Verdict = Literal["closed", "waiting", "again", "alarm"]


def settle(variant: Variant, plan: Plan) -> None:
    """Notes the parts that need no push: Amazon shows them already, or is about to."""
    if plan.quantity == "settle":
        variant.quantity_synced_version = variant.quantity_version
    elif plan.quantity == "adopt":
        variant.sent_quantity_version = variant.quantity_version
    if plan.price == "settle":
        variant.price_synced_version = variant.price_version
    elif plan.price == "adopt":
        variant.sent_price_version = variant.price_version


def intend(variant: Variant, plan: Plan, now: datetime) -> None:
    """Writes down what is about to be sent; a part that is still open and not sent again stays open.

    A write that replaces an open one leaves nobody knowing what Amazon is about to show.
    """
    if plan.quantity == "send":
        if variant.sent_quantity_version is not None:
            variant.amazon_quantity = None
        variant.sent_quantity, variant.sent_quantity_version = variant.quantity, variant.quantity_version
    if plan.price == "send":
        if variant.sent_price_version is not None:
            variant.amazon_price = variant.amazon_currency = None
        variant.sent_price, variant.sent_price_version = variant.price, variant.price_version
    variant.write_state, variant.sent_at, variant.send_after = "sending", now, None
    variant.read_backs, variant.read_back_at = 0, now


def record(variant: Variant, outcome: Outcome, delays: Sequence[float], now: datetime) -> list[Refusal]:
    """Records the answers against the versions that were sent; answers Amazon's refusals."""
    refusals: list[Refusal] = []
    for part, answer in outcome.answers.items():
        if isinstance(answer, Refusal):
            refusals.append(answer)
            refuse(variant, part, answer, now)
        elif answer == "not_sent":
            _forget(variant, part)
    if not _is_open(variant):
        _close(variant)
        return refusals
    unknown = "unknown" in outcome.answers.values()
    variant.write_state = "unknown" if unknown else "accepted"
    variant.read_backs, variant.read_back_at = 0, now + timedelta(seconds=delays[0])
    return refusals


def refuse(variant: Variant, part: Part, refusal: Refusal, now: datetime) -> None:
    """The version that was sent is not sent again; a newer one is."""
    if part == "quantity" and variant.sent_quantity_version is not None:
        variant.quantity_refused_version = variant.sent_quantity_version
    elif part == "price" and variant.sent_price_version is not None:
        variant.price_refused_version = variant.sent_price_version
    variant.last_error = _error(refusal.code, refusal.detail, now, part=part)
    _forget(variant, part)


def lose(variant: Variant, now: datetime) -> None:
    """Amazon has no such listing any more (MISSION B5)."""
    variant.link = lifecycle.after(variant.link, "gone") or variant.link
    variant.health = "not_listed"
    variant.amazon_quantity = variant.amazon_price = variant.amazon_currency = None
    variant.last_error = _error("listing-gone", "Amazon answers 404; unlink and relink it", now)
    for part in ("quantity", "price"):
        _forget(variant, part)
    _close(variant)


def link_broken(variant: Variant) -> ListingLinkBroken:
    """The announcement that goes with `lose`."""
    return ListingLinkBroken(account_id=variant.account_id, channel_id=variant.channel_id, sku=variant.sku)


def look(variant: Variant, shown: Seen, delays: Sequence[float], now: datetime) -> Verdict:
    """Compares what Amazon shows with the open write, and closes, goes on waiting, or gives it up."""
    shown.note_on(variant, now)
    if variant.sent_quantity_version is not None and shown.quantity == variant.sent_quantity:
        variant.amazon_quantity = shown.quantity
        variant.quantity_synced_version = variant.sent_quantity_version
        _forget(variant, "quantity")
    sent_price = (variant.sent_price, variant.currency)
    if variant.sent_price_version is not None and (shown.price, shown.currency) == sent_price:
        variant.amazon_price, variant.amazon_currency = shown.price, shown.currency
        variant.price_synced_version = variant.sent_price_version
        _forget(variant, "price")
    if not _is_open(variant):
        _close(variant)
        if not is_refused(variant):
            variant.last_error = None
        return "closed"
    if variant.write_state in ("sending", "unknown"):
        # It may still take effect, so what Amazon shows counts for nothing: the desired value is written again.
        _give_up(variant)
        return "again"
    variant.read_backs += 1
    if variant.read_backs < len(delays):
        variant.read_back_at = now + timedelta(seconds=delays[variant.read_backs])
        return "waiting"
    _give_up(variant)
    variant.send_after = now + _PAUSE_AFTER_ALARM
    variant.last_error = _error("not-visible", "Amazon accepted the change but does not show it; it is sent again", now)
    return "alarm"


def reset(variant: Variant) -> None:
    """Forgets everything that was known of Amazon's side: the next link starts afresh."""
    variant.asin = variant.product_type = variant.fulfillment_channel_code = None
    variant.amazon_quantity = variant.amazon_price = variant.amazon_currency = variant.amazon_read_at = None
    variant.quantity_synced_version = variant.quantity_refused_version = 0
    variant.price_synced_version = variant.price_refused_version = 0
    variant.health, variant.last_error, variant.send_after = "not_listed", None, None
    _forget(variant, "quantity")
    _forget(variant, "price")
    _close(variant)


def is_refused(variant: Variant) -> bool:
    """Whether Amazon refused what is desired now."""
    return (
        0 < variant.quantity_version == variant.quantity_refused_version
        or 0 < variant.price_version == variant.price_refused_version
    )


def _is_open(variant: Variant) -> bool:
    return variant.sent_quantity_version is not None or variant.sent_price_version is not None


def _forget(variant: Variant, part: Part) -> None:
    if part == "quantity":
        variant.sent_quantity = variant.sent_quantity_version = None
    else:
        variant.sent_price = variant.sent_price_version = None


def _give_up(variant: Variant) -> None:
    if variant.sent_quantity_version is not None:
        variant.amazon_quantity = None
    if variant.sent_price_version is not None:
        variant.amazon_price = variant.amazon_currency = None
    _forget(variant, "quantity")
    _forget(variant, "price")
    _close(variant)


def _close(variant: Variant) -> None:
    variant.write_state = variant.sent_at = variant.read_back_at = None
    variant.read_backs = 0


def _error(code: str, detail: str, now: datetime, **extra: Any) -> dict[str, Any]:
    return {"code": code, "detail": detail, "at": now.isoformat()} | extra
