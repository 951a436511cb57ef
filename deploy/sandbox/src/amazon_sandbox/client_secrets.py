"""rotateApplicationClientSecret, and the two notifications about client secrets (FACTS 2.5)."""

import secrets

from amazon_sandbox.apps import ClientSecret, Registration
from amazon_sandbox.calls import Call
from amazon_sandbox.clock import DAY_MS, SECOND_MS, iso
from amazon_sandbox.notifications.emitting import send_to_app_queue
from amazon_sandbox.notifications.types import NEW_SECRET, SECRET_EXPIRY
from amazon_sandbox.wire import Answer, invalid_input
from amazon_sandbox.world import World

_WARN_BEFORE_MS = 30 * DAY_MS


def rotate_application_client_secret(call: Call) -> Answer:
    """204 without a body: the new secret comes by notification only."""
    world, registration = call.world, call.world.registrations[call.token.app.client_id]
    queue_arn = registration.secret_queue_arn
    if queue_arn is None:
        raise invalid_input("You have not registered an SQS queue to receive the new client secret.")

    def effect() -> None:
        now_ms = world.clock.now_ms()
        new = registration.rotate("amzn1.oa2-cs.v1." + secrets.token_hex(32), now_ms)
        old = [one for one in registration.client_secrets if one is not new]
        content = {
            "clientId": registration.app.client_id,
            "newClientSecret": new.value,
            "newClientSecretExpiryTime": _expiry(new),
            "oldClientSecretExpiryTime": _expiry(old[-1]) if old else iso(now_ms),
        }
        payload = {"applicationOAuthClientNewSecret": content}
        send_to_app_queue(world, registration.app.client_id, queue_arn, NEW_SECRET, payload)

    return Answer(204, effect=effect)


def expire_in(world: World, registration: Registration, seconds: float) -> None:
    """The secrets that hold now expire in `seconds`, and a warning comes as soon as it would."""
    now_ms = world.clock.now_ms()
    for secret in registration.client_secrets:
        if secret.holds(now_ms):
            secret.expires_ms = now_ms + round(seconds * SECOND_MS)
            secret.warned = False
    warn_of_expiry(world)


def warn_of_expiry(world: World) -> None:
    """Sends each warning that is due, once; the clock dial calls it."""
    now_ms = world.clock.now_ms()
    for registration in world.registrations.values():
        for secret in registration.client_secrets:
            due = secret.expires_ms is not None and now_ms >= secret.expires_ms - _WARN_BEFORE_MS
            if due and not secret.warned and registration.secret_queue_arn is not None:
                secret.warned = True
                content = {"clientId": registration.app.client_id, "clientSecretExpiryTime": _expiry(secret)}
                content["clientSecretExpiryReason"] = "PERIODIC_ROTATION"
                payload = {"applicationOAuthClientSecretExpiry": content}
                arn = registration.secret_queue_arn
                send_to_app_queue(world, registration.app.client_id, arn, SECRET_EXPIRY, payload)


def _expiry(secret: ClientSecret) -> str | None:
    return iso(secret.expires_ms) if secret.expires_ms is not None else None
