"""Dials for the apps: what their developer changes in the console, roles above all (FACTS 2 and 4)."""

from typing import Any

import msgspec

from amazon_sandbox.apps import APP_BY_APPLICATION_ID, Registration
from amazon_sandbox.client_secrets import expire_in
from amazon_sandbox.clock import iso
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.notifications.emitting import end_lapsed_subscriptions
from amazon_sandbox.roles import ROLES


class AppChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is not named stays."""

    draft: bool | None = None
    suspended: bool | None = None
    roles: list[str] | None = None
    secret_queue_arn: str | None = None
    secret_expires_in_s: float | None = None


class SelfAuthorization(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str


def show(call: DialCall) -> dict[str, Any]:
    return {"apps": [_document(one) for one in call.world.registrations.values()]}


def change(call: DialCall) -> dict[str, Any]:
    registration = _registration(call)
    wish = call.read(AppChange)
    unknown = set(wish.roles or ()) - set(ROLES)
    if unknown:
        raise DialError(f"roles are of: {', '.join(ROLES)}")
    if wish.secret_queue_arn and wish.secret_queue_arn not in call.world.queues.by_arn:
        raise DialError(f"there is no queue {wish.secret_queue_arn}: create it first, with any SQS client")
    if wish.secret_expires_in_s is not None and not 0 <= wish.secret_expires_in_s < 10**9:
        raise DialError("secret_expires_in_s is 0 or more")
    if wish.draft is not None:
        registration.draft = wish.draft
    if wish.suspended is not None:
        registration.suspended = wish.suspended
    if wish.roles is not None:
        registration.roles = frozenset(wish.roles)
    if wish.secret_queue_arn is not None:
        registration.secret_queue_arn = wish.secret_queue_arn or None
    if wish.secret_expires_in_s is not None:
        expire_in(call.world, registration, wish.secret_expires_in_s)
    return _document(registration)


def self_authorize(call: DialCall) -> dict[str, Any]:
    """The developer console does this for a private app, without OAuth and in Draft too (FACTS 2.3.6)."""
    registration = _registration(call)
    seller = call.world.sellers.get((registration.app.region, call.read(SelfAuthorization).selling_partner_id))
    if seller is None:
        raise DialError(f"there is no such seller in {registration.app.region}", 404)
    end_lapsed_subscriptions(call.world)
    grant = call.world.grants.authorize(
        registration.app,
        seller.selling_partner_id,
        registration.roles,
        call.world.clock.now_ms(),
        call.world.settings.authorization_life_days,
    )
    return {"refresh_token": grant.refresh_token}


def _registration(call: DialCall) -> Registration:
    app = APP_BY_APPLICATION_ID.get(call.path["application_id"])
    if app is None:
        raise DialError(f"the apps are {', '.join(APP_BY_APPLICATION_ID)}", 404)
    return call.world.registrations[app.client_id]


def _document(registration: Registration) -> dict[str, Any]:
    """No secret in it: a new one arrives on the queue only."""
    return {
        "application_id": registration.app.application_id,
        "region": registration.app.region,
        "draft": registration.draft,
        "suspended": registration.suspended,
        "roles": sorted(registration.roles),
        "secret_queue_arn": registration.secret_queue_arn,
        "secrets_expire": [
            iso(one.expires_ms) if one.expires_ms is not None else None for one in registration.client_secrets
        ],
    }


DIALS = (
    Dial("GET", "/sandbox/apps", "the apps as they are registered", show),
    Dial(
        "PUT",
        "/sandbox/apps/{application_id}",
        'change some: {"draft" (true asks for version=beta), "suspended" (true: unauthorized_client), "roles": [...] '
        '(a new one counts for a seller who authorises again), "secret_queue_arn" (an SQS queue, enrolled for '
        'rotation), "secret_expires_in_s" (of the client secrets that hold now; a warning goes to that queue)}',
        change,
    ),
    Dial(
        "POST",
        "/sandbox/apps/{application_id}/self-authorize",
        'authorise as a private app does in the console: {"selling_partner_id"}; the answer is a refresh token',
        self_authorize,
    ),
)
