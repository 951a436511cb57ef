"""Dials for the behaviour of this Amazon: settings, faults, and the clock."""

from typing import Any

import msgspec

from amazon_sandbox import faults, lwa, settings
from amazon_sandbox.client_secrets import warn_of_expiry
from amazon_sandbox.clock import iso
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.documents import transfer
from amazon_sandbox.sp_api import OPERATIONS
from amazon_sandbox.wire import decode


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    advance_s: float


def change_settings(call: DialCall) -> Any:
    """What is not named stays; nor does a part of `quotas` that is not named change."""
    try:
        changes = decode(call.body)
    except ValueError as error:
        raise DialError(str(error)) from error
    if not isinstance(changes, dict):
        raise DialError("the body is a JSON object")
    merged = msgspec.to_builtins(call.world.settings) | changes
    if isinstance(changes.get("quotas"), dict):
        merged["quotas"] = msgspec.to_builtins(call.world.settings.quotas) | changes["quotas"]
    try:
        wish = msgspec.convert(merged, settings.Settings)
    except msgspec.ValidationError as error:
        raise DialError(str(error)) from error
    problem = settings.problem_with(wish)
    if problem is not None:
        raise DialError(problem)
    call.world.settings = wish
    return wish


def show_settings(call: DialCall) -> Any:
    return call.world.settings


def arm_fault(call: DialCall) -> dict[str, Any]:
    fault = call.read(faults.Fault)
    operations = (operation.name for operation in OPERATIONS)
    problem = faults.problem_with(fault, [lwa.OPERATION, faults.ANY_OPERATION, *operations, *transfer.OPERATIONS])
    if problem is not None:
        raise DialError(problem)
    call.world.faults.arm(fault, call.world.clock.now_ms())
    return show_faults(call)


def show_faults(call: DialCall) -> dict[str, Any]:
    return {
        "armed": [
            msgspec.to_builtins(one.fault)
            | {"left": one.left, "until": iso(one.until_ms) if one.until_ms is not None else None, "hits": one.hits}
            for one in call.world.faults.armed
        ]
    }


def disarm_faults(call: DialCall) -> dict[str, Any]:
    call.world.faults.armed.clear()
    return {"armed": []}


def advance_clock(call: DialCall) -> dict[str, Any]:
    wish = call.read(Advance)
    try:
        call.world.clock.advance(wish.advance_s)
    except ValueError as error:
        raise DialError(str(error)) from error
    call.world.settle()
    warn_of_expiry(call.world)
    return show_clock(call)


def show_clock(call: DialCall) -> dict[str, Any]:
    return {"now": iso(call.world.clock.now_ms()), "effects_outstanding": call.world.effects_outstanding()}


DIALS = (
    Dial("GET", "/sandbox/settings", "the settings as they are", show_settings),
    Dial(
        "PUT",
        "/sandbox/settings",
        'change some: {"listing_delay_s", "shipment_delay_s", "search_lag_s", "check_ship_dates", '
        '"feed_queue_s", "feed_processing_s", '
        '"report_queue_s", "report_processing_s", "report_cooldown_s", "gzip_documents", "access_token_ttl_s", '
        '"authorization_life_days", "token_bytes", '
        '"quotas": {"enabled", "scale", "header_share"}, "auto_consent", "redirect_uris": [...], "login_uri"}',
        change_settings,
    ),
    Dial("GET", "/sandbox/faults", "the faults that are armed", show_faults),
    Dial(
        "POST",
        "/sandbox/faults",
        'arm one: {"operation" (an SP-API operation, "token", "uploadDocument", "downloadDocument", or "*"), '
        f'"kind"? ({", ".join(faults.KINDS)}), "status"?, '
        '"count"? (1), "probability"?, "seed"?, "for_s"? (of the sandbox clock), "seconds"? (of slow and timeout), '
        '"selling_partner_id"?, "region"?, "query"? ({"includedData": "FULFILLMENT"}), "after_effect"?}',
        arm_fault,
    ),
    Dial("DELETE", "/sandbox/faults", "disarm all", disarm_faults),
    Dial("GET", "/sandbox/clock", "what time it is here", show_clock),
    Dial("POST", "/sandbox/clock", 'move it forward: {"advance_s": 120}', advance_clock),
)
