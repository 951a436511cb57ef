"""Tells what happened: the envelope of each type, and its way to the queue, with its faults (FACTS 9.4 to 9.10)."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from amazon_sandbox.apps import APP_BY_CLIENT_ID
from amazon_sandbox.clock import SECOND_MS, iso
from amazon_sandbox.notifications.filters import passes
from amazon_sandbox.notifications.registry import Destination, Subscription
from amazon_sandbox.notifications.types import APP_NOTIFICATIONS, NOTIFICATION_TYPES, NotificationType
from amazon_sandbox.wire import encode

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World


def emit(world: "World", seller: "Seller", notification_type: str, payload: dict[str, Any]) -> None:
    """Sends `payload` to everybody who subscribed to this type for this seller; nobody may have.

    `payload` is what stands in the envelope's `Payload` (or `payload`: FACTS 9.5, 9.6), nesting included, for example
    `{"feedProcessingFinishedNotification": {"sellerId", "accountId", "feedId", "feedType", "processingStatus"}}`.
    Call it when the thing is true, from an effect. KeyError for a type that is not in NOTIFICATION_TYPES.
    """
    kind = NOTIFICATION_TYPES[notification_type]
    registry = world.notifications
    for subscription in _in_force(world, seller, notification_type):
        destination = registry.destinations.get(subscription.destination_id)
        if destination is not None and passes(subscription, payload):
            document = envelope(world, kind, payload, subscription.client_id, subscription.subscription_id)
            _send(world, kind, destination, subscription, document)


def is_subscribed(world: "World", seller: "Seller", *notification_types: str) -> bool:
    """Whether anybody would hear: spares the work of making payloads nobody gets."""
    return bool(world.notifications.subscriptions) and any(
        _in_force(world, seller, name) for name in notification_types
    )


def end_lapsed_subscriptions(world: "World") -> None:
    """FACTS 9.3: they died with an authorisation that ran out; a later consent does not bring them back."""
    now_ms, registry = world.clock.now_ms(), world.notifications
    registry.subscriptions = {
        key: one
        for key, one in registry.subscriptions.items()
        if world.grants.holds(one.client_id, one.selling_partner_id, now_ms)
    }


def _in_force(world: "World", seller: "Seller", notification_type: str) -> list[Subscription]:
    now_ms, seller_id = world.clock.now_ms(), seller.selling_partner_id
    subscribed = world.notifications.subscribed(seller.region, seller_id, notification_type)
    return [one for one in subscribed if world.grants.holds(one.client_id, seller_id, now_ms)]


def envelope(
    world: "World", kind: NotificationType, payload: dict[str, Any], client_id: str, subscription_id: str
) -> dict[str, Any]:
    now = iso(world.clock.now_ms())
    document: dict[str, Any] = {
        "NotificationVersion": kind.notification_version,
        "NotificationType": kind.name,
        "PayloadVersion": kind.payload_versions[-1],
        "EventTime": now,
        "Payload": payload,
        "NotificationMetadata": {
            "ApplicationId": APP_BY_CLIENT_ID[client_id].application_id,
            "SubscriptionId": subscription_id,
            "PublishTime": now,
            "NotificationId": str(uuid4()),
        },
    }
    if not kind.camel:
        return document
    document["NotificationMetadata"] = _camel(document["NotificationMetadata"])
    return _camel(document)


def send_to_app_queue(world: "World", client_id: str, queue_arn: str, name: str, payload: dict[str, Any]) -> None:
    """One of the two notifications that concern an app and no seller (FACTS 2.5)."""
    document = envelope(world, APP_NOTIFICATIONS[name], payload, client_id, str(uuid4()))
    outcome = _put(world, queue_arn, encode(document).decode(), 0) or "delivered"
    world.notifications.count(name, outcome)


def to_destination(world: "World", kind: NotificationType, destination: Destination, document: dict[str, Any]) -> str:
    """Sends one document without faults, for sendTestNotification; says how it went."""
    return "; ".join(
        _put(world, arn, body, 0) or "delivered" for arn, body in _targets(world, kind, destination, document)
    )


def _send(
    world: "World",
    kind: NotificationType,
    destination: Destination,
    subscription: Subscription,
    document: dict[str, Any],
) -> None:
    """At least once, mostly (FACTS 9.10)."""
    registry = world.notifications
    fault = registry.next_fault(kind.name, subscription.selling_partner_id)
    for arn, body in _targets(world, kind, destination, document):
        if fault is not None and fault.kind == "lose":
            registry.count(kind.name, "lost")
            continue
        late = fault is not None and fault.kind in ("delay", "reorder")
        delay_ms = round(fault.seconds * SECOND_MS) if fault is not None and late else 0
        for _ in range(2 if fault is not None and fault.kind == "duplicate" else 1):
            problem = _put(world, arn, body, delay_ms, overtaken=fault is not None and fault.kind == "reorder")
            registry.count(kind.name, problem or "delivered")


def _targets(
    world: "World", kind: NotificationType, destination: Destination, document: dict[str, Any]
) -> list[tuple[str, str]]:
    """Queue ARNs with the body each gets: as it is, or wrapped as an event bus does (FACTS 9.5)."""
    if destination.queue_arn is not None:
        return [(destination.queue_arn, encode(document).decode())]
    event: dict[str, Any] = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": kind.name,
        "source": destination.event_source,
        "account": destination.account_id,
        "time": iso(world.clock.now_ms()),
        "region": destination.aws_region,
        "resources": [],
        "detail": document,
    }
    body = encode(event).decode()
    return [
        (rule.queue_arn, body)
        for rule in world.notifications.rules
        if rule.event_source == destination.event_source and (not rule.detail_types or kind.name in rule.detail_types)
    ]


def _put(world: "World", queue_arn: str, body: str, delay_ms: int, *, overtaken: bool = False) -> str | None:
    """Why the queue got nothing, or None; whoever subscribed never learns it (PAINS 15)."""
    queue = world.queues.by_arn.get(queue_arn)
    if queue is None:
        return "no such queue"
    if queue.is_fifo:
        return "FIFO queue"
    if not queue.lets_amazon_send():
        return "policy"
    key = queue.attributes.get("KmsMasterKeyId")
    if key is not None and key not in world.notifications.key_grants:
        return "KMS key"
    message = world.queues.send(queue, body, world.clock.now_ms(), delay_ms)
    message.overtaken_by_next = overtaken
    return None


def _camel(document: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in document.items()}
