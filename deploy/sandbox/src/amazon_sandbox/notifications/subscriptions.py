"""createSubscription and its siblings, and sendTestNotification (FACTS 9.3, 9.8, 9.11)."""

from typing import Any
from uuid import uuid4

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.notifications.destinations import own_destination
from amazon_sandbox.notifications.emitting import end_lapsed_subscriptions, envelope, to_destination
from amazon_sandbox.notifications.filters import checked_directive
from amazon_sandbox.notifications.registry import Subscription
from amazon_sandbox.notifications.types import NOTIFICATION_TYPES, NotificationType
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer

_FEWEST_A_PAGE, _MOST_A_PAGE = 30, 100


def create_subscription(call: Call) -> Answer:
    """`{"payload": {"subscriptionId", "payloadVersion", "destinationId", "processingDirective"?}}`"""
    kind = _kind(call.arguments[0])
    document = call.document()
    version, destination_id = document.get("payloadVersion"), document.get("destinationId")
    if not isinstance(version, str) or not isinstance(destination_id, str):
        raise invalid_input("payloadVersion and destinationId are required.")
    _refuse_version(kind, version)
    destination = own_destination(call, destination_id)
    if (destination.queue_arn is not None) != (kind.channel == "SQS"):  # FACTS 9.4
        wanted = "an SQS queue" if kind.channel == "SQS" else "Amazon EventBridge"
        raise invalid_input(f"{kind.name} can only be delivered to {wanted}.")
    directive = checked_directive(kind, document.get("processingDirective"))
    existing = [one for one in _own(call, kind) if one.payload_version == version]
    if existing:
        raise SpApiError(409, "Conflict", "There is a subscription to this type already.", existing[0].subscription_id)
    subscription = Subscription(
        subscription_id=str(uuid4()),
        client_id=call.token.app.client_id,
        region=call.seller.region,
        selling_partner_id=call.seller.selling_partner_id,
        notification_type=kind.name,
        payload_version=version,
        destination_id=destination_id,
        processing_directive=directive,
    )
    registry = call.world.notifications

    def effect() -> None:
        registry.subscriptions[subscription.subscription_id] = subscription

    return json_answer({"payload": _document(subscription)}, effect=effect)


def get_subscription(call: Call) -> Answer:
    kind = _kind(call.arguments[0])
    version = call.one("payloadVersion")
    found = [one for one in _own(call, kind) if version in (None, one.payload_version)]
    if not found:
        raise SpApiError(404, "NotFound", "There is no subscription to this type.", kind.name)
    return json_answer({"payload": _document(found[-1])})


def get_subscriptions(call: Call) -> Answer:
    """All subscriptions of the caller's party to one type."""
    names = call.many("notificationTypes")
    if len(names) != 1:
        raise invalid_input("notificationTypes takes exactly one type.")
    version = call.one("payloadVersion")
    size = call.whole_number("pageSize", _FEWEST_A_PAGE, _FEWEST_A_PAGE, _MOST_A_PAGE)
    filters = page_tokens.fingerprint(names, version)
    start = page_tokens.start_of_page("nextToken", call.one("nextToken"), filters)
    found = [one for one in _own(call, _kind(names[0])) if version in (None, one.payload_version)]
    payload: dict[str, Any] = {"subscriptions": [_document(one) for one in found[start : start + size]]}
    if start + size < len(found):
        payload["nextToken"] = page_tokens.seal([filters, start + size])
    return json_answer({"payload": payload})


def get_subscription_by_id(call: Call) -> Answer:
    return json_answer({"payload": _document(_by_id(call))})


def delete_subscription_by_id(call: Call) -> Answer:
    subscription = _by_id(call)
    registry = call.world.notifications

    def effect() -> None:
        registry.subscriptions.pop(subscription.subscription_id, None)

    return json_answer({}, effect=effect)


def send_test_notification(call: Call) -> Answer:
    """On sandbox hosts only, which every host here is (FACTS 9.11)."""
    kind = _kind(call.arguments[0])
    document = call.document()
    test = document.get("testNotification")
    if not isinstance(test, dict) or not isinstance(test.get("payloadVersion"), str):
        raise invalid_input("testNotification.payloadVersion is required.")
    _refuse_version(kind, test["payloadVersion"])
    destination = own_destination(call, str(document.get("destinationId")))
    world, client_id = call.world, call.token.app.client_id
    payload = {"testNotification": {"testScenario": str(test.get("testScenario", "default"))}}

    def effect() -> None:
        outcome = to_destination(world, kind, destination, envelope(world, kind, payload, client_id, str(uuid4())))
        world.notifications.count(f"{kind.name} test", outcome or "no rule")

    return json_answer({"payload": {}}, effect=effect)


def _kind(name: str) -> NotificationType:
    kind = NOTIFICATION_TYPES.get(name)
    if kind is None:
        raise invalid_input(f"Invalid notification type '{name}'.")
    return kind


def _refuse_version(kind: NotificationType, version: str) -> None:
    """FACTS 9.8: an old version is refused once it has been removed."""
    if version not in kind.payload_versions:
        raise invalid_input(f"payloadVersion {version} of {kind.name} is not supported.")


def _own(call: Call, kind: NotificationType) -> list[Subscription]:
    end_lapsed_subscriptions(call.world)
    subscribed = call.world.notifications.subscribed(call.seller.region, call.seller.selling_partner_id, kind.name)
    return [one for one in subscribed if one.client_id == call.token.app.client_id]


def _by_id(call: Call) -> Subscription:
    """By the app's own token, whichever seller subscribed (FACTS 2.4.1)."""
    kind, subscription_id = _kind(call.arguments[0]), call.arguments[1]
    end_lapsed_subscriptions(call.world)
    found = call.world.notifications.subscriptions.get(subscription_id)
    if found is None or found.client_id != call.token.app.client_id or found.notification_type != kind.name:
        raise SpApiError(404, "NotFound", "The subscription does not exist.", subscription_id)
    return found


def _document(subscription: Subscription) -> dict[str, Any]:
    document: dict[str, Any] = {
        "subscriptionId": subscription.subscription_id,
        "payloadVersion": subscription.payload_version,
        "destinationId": subscription.destination_id,
    }
    if subscription.processing_directive is not None:
        document["processingDirective"] = subscription.processing_directive
    return document
