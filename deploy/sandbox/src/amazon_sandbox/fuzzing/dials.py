"""Turns of the dials: each with the body it takes, broken or not."""

from typing import Any
from urllib.parse import quote

from amazon_sandbox.fuzzing.known import OTHER_SELLER, SELLER, SKUS, US, Asked, Known
from amazon_sandbox.fuzzing.models import attributes
from amazon_sandbox.fuzzing.rubbish import BAD_URI, json_of
from amazon_sandbox.notifications.types import NOTIFICATION_TYPES
from amazon_sandbox.snapshots import MARK
from amazon_sandbox.testing import REDIRECT_URI, app_of

# A whole snapshot would take the run back to before its tokens; a pickle at random may ask for all the memory there is.
_NO_WORLDS = (b"", b"[]", MARK, MARK + b"\x80\x05", MARK + b"\x80\x05]\x94.", MARK + b"\x80\x05N\x85\x94.")
_SEEN = {"order_id": "orderId", "job_id": "jobId"}


def turn(known: Known, dial: str) -> Asked | None:
    """A turn of `dial` ("POST /sandbox/orders"); None for the one that is left alone."""
    if dial == "DELETE /sandbox/world":  # the end of all that the run knows
        return None
    random = known.random
    method, _, path = dial.partition(" ")
    for name, seen in _SEEN.items():
        path = path.replace(f"{{{name}}}", random.choice((known.one(seen), known.one(seen), "%00")))
    # The run calls as SELLER with the app of NA: what ends an authorisation or an app is tried on others.
    path = path.replace("{selling_partner_id}", random.choice((OTHER_SELLER, "nobody", "%00")))
    path = path.replace("{application_id}", quote(random.choice((app_of("EU").application_id, "nobody"))))
    query = random.choice(
        ("", f"?selling_partner_id={SELLER}&marketplace_id={US}", f"?marketplace_id={US}&sku=007", "?region=%FF&sku=a")
    )
    body = json_of(random, _wish(known, dial))
    if dial == "PUT /sandbox/world":
        body = random.choice(_NO_WORLDS)
    return Asked(f"dial {dial}", method, "dials", path + query, body)


def _wish(known: Known, dial: str) -> dict[str, Any]:
    """What the dial takes."""
    wishes = {
        "PUT /sandbox/settings": _settings,
        "POST /sandbox/clock": _clock,
        "POST /sandbox/faults": _fault,
        "PUT /sandbox/quotas": _plan,
        "PUT /sandbox/apps/{application_id}": _app,
        "POST /sandbox/sellers": _seller,
        "POST /sandbox/sign-in": _sign_in,
        "POST /sandbox/listings": _listings,
        "POST /sandbox/listings/fates": _fate,
        "POST /sandbox/orders": _orders,
        "POST /sandbox/orders/{order_id}/track": _tracking,
        "POST /sandbox/orders/{order_id}/hide": lambda _: {"seconds": 1},
        "POST /sandbox/orders/{order_id}/cancel": lambda _: {"by": "MERCHANT", "reason": "x"},
        "POST /sandbox/orders/{order_id}/request-cancel": lambda _: {"by": "BUYER", "reason": "x"},
        "POST /sandbox/apps/{application_id}/self-authorize": lambda _: {"selling_partner_id": OTHER_SELLER},
        "POST /sandbox/key-grants": lambda _: {"key_id": "k"},
        "PUT /sandbox/static": lambda _: {"operation": "getAccount", "status": 400},
        "POST /sandbox/notifications": _notification,
        "POST /sandbox/notification-faults": _delivery,
        "POST /sandbox/event-rules": _rule,
        "POST /sandbox/feeds/next": _next_job,
        "POST /sandbox/reports/next": _next_job,
        "POST /sandbox/products": _products,
        "POST /sandbox/restrictions": _restriction,
        "POST /sandbox/world/fill": _filling,
    }
    return wishes[dial](known) if dial in wishes else {}


def _settings(known: Known) -> dict[str, Any]:
    everything: dict[str, Any] = {
        "listing_delay_s": 1,
        "report_cooldown_s": 0,
        "access_token_ttl_s": 3600,
        "token_bytes": 200,
        "gzip_documents": known.random.random() < 0.5,
        "check_ship_dates": known.random.random() < 0.5,
        "auto_consent": known.random.random() < 0.5,
        "redirect_uris": known.random.choice(([REDIRECT_URI], [BAD_URI, REDIRECT_URI])),
        "login_uri": "http://127.0.0.1:9/login",
        "quotas": {"enabled": False, "scale": 2, "header_share": 0.5},
    }
    return {name: value for name, value in everything.items() if known.random.random() < 0.3}


def _clock(known: Known) -> dict[str, Any]:
    """Small steps: the ten years that are allowed would leave the calendar after a few hundred turns."""
    return {"advance_s": known.random.choice((0, 1, 60))}


def _fault(known: Known) -> dict[str, Any]:
    """What is asked for is no finding: so no 5xx, no cut connection, no wait, and nothing on the way of feeds."""
    kind = known.random.choice(("status", "html", "empty", "malformed_json", "lost_effect"))
    status = {"status": known.random.choice((400, 404, 413, 429))} if kind in ("status", "html") else {}
    narrow = {"query": {"includedData": "BUYER"}, "probability": 0.5, "for_s": 1, "region": "NA"}
    chosen = {name: value for name, value in narrow.items() if known.random.random() < 0.3}
    return {
        "operation": known.random.choice(("getOrder", "putListingsItem", "searchOrders")),
        "kind": kind,
        **status,
        **chosen,
    }


def _plan(_known: Known) -> dict[str, Any]:
    return {"operation": "getOrder", "rate": 5, "burst": 10, "selling_partner_id": SELLER, "region": "NA"}


def _app(known: Known) -> dict[str, Any]:
    everything: dict[str, Any] = {
        "draft": known.random.random() < 0.5,
        "suspended": known.random.random() < 0.2,
        "roles": ["Product Listing"],
        "secret_queue_arn": "arn:aws:sqs:us-east-1:000000000000:fuzz",
        "secret_expires_in_s": 1000,
    }
    return {name: value for name, value in everything.items() if known.random.random() < 0.4}


def _seller(known: Known) -> dict[str, Any]:
    selling_partner_id = f"A{known.random.randrange(50)}"
    return {"selling_partner_id": selling_partner_id, "region": "NA", "name": "Shop", "marketplaces": [US]}


def _sign_in(known: Known) -> dict[str, Any]:
    return {"region": "NA", "selling_partner_id": known.random.choice((SELLER, OTHER_SELLER))}


def _listings(known: Known) -> dict[str, Any]:
    listing = {"sku": known.random.choice(SKUS), "price": known.random.choice((9.5, "9.5")), "quantity": 5}
    more = {"minimum_seller_allowed_price": 1, "lead_time_to_ship_max_days": 2, "title": "x", "currency": "USD"}
    chosen = {name: value for name, value in more.items() if known.random.random() < 0.3}
    return {"selling_partner_id": SELLER, "marketplace_id": US, "listings": [{**listing, **chosen}]}


def _fate(known: Known) -> dict[str, Any]:
    kind = known.random.choice(("issues", "incomplete", "never", "late"))
    enforced = {"actions": [{"action": "LISTING_SUPPRESSED"}], "exemption": {"status": "NOT_EXEMPT"}}
    problem = {"code": "1", "message": "x", "severity": "ERROR", "categories": [], "attributeNames": ["item_name"]}
    issues = {"issues": [{**problem, "enforcements": enforced}]} if kind == "issues" else {}
    return {"selling_partner_id": SELLER, "kind": kind, "seconds": 60, "count": 1, **issues}


def _orders(known: Known) -> dict[str, Any]:
    line = {"sku": "007", "quantity": 2, "unit_price": 5, "shipping": 1, "tax": "0.5", "discount": 1}
    everything: dict[str, Any] = {
        "status": known.random.choice(("UNSHIPPED", "PENDING", "UNFULFILLABLE")),
        "fulfilled_by": known.random.choice(("MERCHANT", "AMAZON")),
        "created_time": "2026-01-02T03:04:05Z",
        "recipient": {"name": "Canary", "countryCode": "US"},
        "search_delay_s": 1,
        "gift_message": "x",
        "replaces": known.one("orderId"),
        "seller_order_id": "M-1",
        "in_store_pickup": True,
        "regulated": True,
    }
    chosen = {name: value for name, value in everything.items() if known.random.random() < 0.3}
    return {"selling_partner_id": SELLER, "marketplace_id": US, "orders": [{"lines": [line], **chosen}]}


def _tracking(known: Known) -> dict[str, Any]:
    return {"package_reference_id": known.random.choice(("1", "2")), "status": "IN_TRANSIT"}


def _notification(known: Known) -> dict[str, Any]:
    payloads: dict[str, Any] = {
        "ORDER_CHANGE": {"OrderChangeNotification": {"OrderChangeType": "OrderStatusChange"}},
        "ANY_OFFER_CHANGED": {"AnyOfferChangedNotification": {"OfferChangeTrigger": {"MarketplaceId": US}}},
    }
    kind = known.random.choice((*payloads, *payloads, *NOTIFICATION_TYPES))
    payload = payloads.get(kind, {"x": attributes(known)})
    return {"selling_partner_id": SELLER, "notification_type": kind, "payload": payload}


def _delivery(known: Known) -> dict[str, Any]:
    return {"kind": known.random.choice(("lose", "duplicate", "delay", "reorder")), "count": 1, "seconds": 1}


def _rule(known: Known) -> dict[str, Any]:
    arn = "arn:aws:sqs:us-east-1:000000000000:fuzz"
    return {
        "event_source": known.one("event_source"),
        "queue_arn": arn,
        "detail_types": ["LISTINGS_ITEM_STATUS_CHANGE"],
    }


def _next_job(known: Known) -> dict[str, Any]:
    more = {"end": "CANCELLED", "processing_s": 1, "stick": "IN_PROGRESS", "fail_every": 2, "fail_skus": ["007"]}
    chosen = {name: value for name, value in more.items() if known.random.random() < 0.3}
    return {"selling_partner_id": SELLER, "count": 1, **chosen}


def _products(_known: Known) -> dict[str, Any]:
    product = {"asin": "B000000001", "title": "x", "brand": "x", "identifiers": {"EAN": "1"}, "image": "http://x/"}
    return {"marketplace_id": US, "products": [product]}


def _restriction(_known: Known) -> dict[str, Any]:
    wish = {"selling_partner_id": SELLER, "marketplace_id": US, "asin": "B000000001"}
    return {**wish, "reason_code": "NOT_ELIGIBLE", "condition_type": "new_new", "message": "x"}


def _filling(known: Known) -> dict[str, Any]:
    counts = {"listings": known.random.randint(0, 3), "orders": known.random.randint(0, 3), "days": 3}
    prefix = f"F{known.random.randrange(1000)}-"
    return {"selling_partner_id": OTHER_SELLER, "marketplace_id": US, **counts, "seed": 1, "sku_prefix": prefix}
