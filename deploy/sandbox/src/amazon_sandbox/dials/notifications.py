"""Dials for notifications: event rules, KMS grants, unreliable delivery, and telling what nothing here causes."""

from typing import Any

import msgspec

from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.notifications.emitting import emit
from amazon_sandbox.notifications.registry import DeliveryFault, EventRule
from amazon_sandbox.notifications.types import NOTIFICATION_TYPES


class NewRule(msgspec.Struct, forbid_unknown_fields=True):
    event_source: str
    queue_arn: str
    detail_types: list[str] = []


class KeyGrant(msgspec.Struct, forbid_unknown_fields=True):
    key_id: str


class Telling(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    notification_type: str
    payload: dict[str, Any]


def make_rule(call: DialCall) -> dict[str, Any]:
    """As `aws events` would: an event bus of the partner source, and a rule on it with a queue as its target."""
    wish = call.read(NewRule)
    registry = call.world.notifications
    sources = {one.event_source for one in registry.destinations.values() if one.event_source is not None}
    if wish.event_source not in sources:
        known = ", ".join(sorted(sources)) or "none yet: createDestination with eventBridge makes one"
        raise DialError(f"event_source is the name of a destination's resource: {known}")
    if wish.queue_arn not in call.world.queues.by_arn:
        raise DialError(f"there is no queue {wish.queue_arn}: create it first, with any SQS client", 404)
    _refuse_types(wish.detail_types)
    registry.rules.append(EventRule(wish.event_source, wish.queue_arn, tuple(wish.detail_types)))
    return {"rules": registry.rules}


def grant_key(call: DialCall) -> dict[str, Any]:
    key_id = call.read(KeyGrant).key_id
    call.world.notifications.key_grants.add(key_id)
    return {"key_grants": sorted(call.world.notifications.key_grants)}


def arm(call: DialCall) -> dict[str, Any]:
    fault = call.read(DeliveryFault)
    _refuse_types([fault.notification_type] if fault.notification_type is not None else [])
    if fault.count < 1:
        raise DialError("count is 1 or more")
    if not 0 <= fault.seconds <= 30 * 24 * 3600:
        raise DialError("seconds is 0 to 30 days")
    call.world.notifications.faults.append(fault)
    return {"armed": call.world.notifications.faults}


def disarm(call: DialCall) -> dict[str, Any]:
    call.world.notifications.faults.clear()
    return {"armed": []}


def tell(call: DialCall) -> dict[str, Any]:
    wish = call.read(Telling)
    _refuse_types([wish.notification_type])
    emit(call.world, call.seller(wish.selling_partner_id), wish.notification_type, wish.payload)
    return {"outcomes": call.world.notifications.sent}


def books(call: DialCall) -> dict[str, Any]:
    """Why something never arrived: nobody but this dial says so."""
    registry = call.world.notifications
    queues = {arn: len(queue.messages) for arn, queue in call.world.queues.by_arn.items()}
    return {
        "outcomes": registry.sent,
        "destinations": len(registry.destinations),
        "subscriptions": len(registry.subscriptions),
        "rules": len(registry.rules),
        "queues": queues,
    }


def _refuse_types(names: list[str]) -> None:
    unknown = [name for name in names if name not in NOTIFICATION_TYPES]
    if unknown:
        raise DialError(f"notification types are: {', '.join(NOTIFICATION_TYPES)}")


DIALS = (
    Dial(
        "POST",
        "/sandbox/event-rules",
        'an event bus and a rule with a queue as target: {"event_source" (name of an eventBridge destination), '
        '"queue_arn", "detail_types"? ([]: all)}',
        make_rule,
    ),
    Dial("POST", "/sandbox/key-grants", 'Amazon may use this KMS key of a queue: {"key_id"}', grant_key),
    Dial(
        "POST",
        "/sandbox/notification-faults",
        'for the next deliveries: {"kind" (lose, duplicate, delay, reorder), "count"? (1), "seconds"? (60: of delay; '
        'reorder waits that long for the next), "notification_type"?, "selling_partner_id"?}',
        arm,
    ),
    Dial("DELETE", "/sandbox/notification-faults", "disarm all", disarm),
    Dial(
        "POST",
        "/sandbox/notifications",
        'tell the subscribers of a seller: {"selling_partner_id", "notification_type", "payload" (its Payload)}',
        tell,
    ),
    Dial("GET", "/sandbox/books/notifications", "what became of each delivery, and what waits in the queues", books),
)
