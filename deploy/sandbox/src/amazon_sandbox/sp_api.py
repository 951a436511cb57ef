"""The Selling Partner API of one region: routing, authorisation and quotas, then the operation's handler."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs, unquote_to_bytes

from amazon_sandbox import sellers
from amazon_sandbox.calls import Call
from amazon_sandbox.feeds import operations as feed_operations
from amazon_sandbox.listings import operations as listings_operations
from amazon_sandbox.listings import search as listings_search
from amazon_sandbox.listings.attributes import OFFER_ATTRIBUTES, RELATIONSHIP_ATTRIBUTES
from amazon_sandbox.listings.patches import named_attributes
from amazon_sandbox.marketplaces import RegionCode
from amazon_sandbox.orders import pickup, reading, shipments
from amazon_sandbox.quotas import (
    APPLICATION,
    APPLICATION_RATES,
    PAIR,
    PREVIEW,
    PRODUCT_DATA,
    RELATIONSHIPS,
    BucketKey,
    rate_limit_header,
)
from amazon_sandbox.reports import operations as report_operations
from amazon_sandbox.reports import schedules
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, quota_exceeded, unauthorized
from amazon_sandbox.world import Seller, World

Handler = Callable[[Call], Answer]


class Operation(NamedTuple):
    """`path`: fixed segments, and `*` for each variable one."""

    name: str
    method: str
    path: str
    handler: Handler


_LISTINGS_ITEM = "listings/2021-08-01/items/*/*"

OPERATIONS = (
    Operation(
        "getMarketplaceParticipations",
        "GET",
        "sellers/v1/marketplaceParticipations",
        sellers.get_marketplace_participations,
    ),
    Operation("getListingsItem", "GET", _LISTINGS_ITEM, listings_operations.get_listings_item),
    Operation("putListingsItem", "PUT", _LISTINGS_ITEM, listings_operations.put_listings_item),
    Operation("patchListingsItem", "PATCH", _LISTINGS_ITEM, listings_operations.patch_listings_item),
    Operation("deleteListingsItem", "DELETE", _LISTINGS_ITEM, listings_operations.delete_listings_item),
    Operation("searchListingsItems", "GET", "listings/2021-08-01/items/*", listings_search.search_listings_items),
    Operation("searchOrders", "GET", "orders/2026-01-01/orders", reading.search_orders),
    Operation("getOrder", "GET", "orders/2026-01-01/orders/*", reading.get_order),
    Operation("confirmShipment", "POST", "orders/v0/orders/*/shipmentConfirmation", shipments.confirm_shipment),
    Operation("updateShipmentStatus", "POST", "orders/v0/orders/*/shipment", pickup.update_shipment_status),
    Operation("createFeedDocument", "POST", "feeds/2021-06-30/documents", feed_operations.create_feed_document),
    Operation("getFeedDocument", "GET", "feeds/2021-06-30/documents/*", feed_operations.get_feed_document),
    Operation("createFeed", "POST", "feeds/2021-06-30/feeds", feed_operations.create_feed),
    Operation("getFeeds", "GET", "feeds/2021-06-30/feeds", feed_operations.get_feeds),
    Operation("getFeed", "GET", "feeds/2021-06-30/feeds/*", feed_operations.get_feed),
    Operation("cancelFeed", "DELETE", "feeds/2021-06-30/feeds/*", feed_operations.cancel_feed),
    Operation("createReport", "POST", "reports/2021-06-30/reports", report_operations.create_report),
    Operation("getReports", "GET", "reports/2021-06-30/reports", report_operations.get_reports),
    Operation("getReport", "GET", "reports/2021-06-30/reports/*", report_operations.get_report),
    Operation("cancelReport", "DELETE", "reports/2021-06-30/reports/*", report_operations.cancel_report),
    Operation("getReportDocument", "GET", "reports/2021-06-30/documents/*", report_operations.get_report_document),
    Operation("createReportSchedule", "POST", "reports/2021-06-30/schedules", schedules.create_report_schedule),
    Operation("getReportSchedules", "GET", "reports/2021-06-30/schedules", schedules.get_report_schedules),
    Operation("getReportSchedule", "GET", "reports/2021-06-30/schedules/*", schedules.get_report_schedule),
    Operation("cancelReportSchedule", "DELETE", "reports/2021-06-30/schedules/*", schedules.cancel_report_schedule),
)

_ROUTES = {(operation.method, tuple(operation.path.encode().split(b"/"))): operation for operation in OPERATIONS}
# The positions of the variable segments, by shape: the few shapes there are, each tried as a dictionary key.
_SHAPES = sorted({tuple(at for at, segment in enumerate(path) if segment == b"*") for _method, path in _ROUTES})

NO_OPERATION = "unknown"


class Request(NamedTuple):
    """A call as it came off the wire. The path is still encoded: `A%2FB` and `A%252FB` are different SKUs."""

    region: RegionCode
    method: str
    raw_path: bytes
    query_string: bytes
    access_token: str | None
    body: bytes
    base_url: str  # as the caller knows this server: presigned URLs begin with it


class Routed(NamedTuple):
    operation: Operation
    arguments: tuple[str, ...]


def route(request: Request) -> Routed:
    """The operation this is. Raises SpApiError 404."""
    segments = request.raw_path[1:].split(b"/")
    for shape in _SHAPES:
        if shape and shape[-1] >= len(segments):
            continue
        pattern = list(segments)
        for position in shape:
            pattern[position] = b"*"
        operation = _ROUTES.get((request.method, tuple(pattern)))
        if operation is not None:
            return Routed(operation, tuple(_decoded(segments[position]) for position in shape))
    raise SpApiError(
        404, "NotFound", "The requested resource does not exist.", request.raw_path.decode("ascii", "replace")
    )


def authorized_seller(world: World, request: Request) -> tuple[Seller, str]:
    """The seller the access token speaks for in this region, and the app's client id. Raises SpApiError 403."""
    if request.access_token is None:
        raise unauthorized("Access token is missing in the request header.")
    token = world.grants.access_token(request.access_token)
    if token is None:
        raise unauthorized("The access token you provided is revoked, malformed or invalid.")
    if token.expires_ms <= world.clock.now_ms():
        raise unauthorized("The access token you provided has expired.")
    grant = token.grant
    if grant is None:
        raise unauthorized("A grantless token cannot call this operation.")
    if grant.revoked:
        raise unauthorized("The access token you provided is revoked, malformed or invalid.")
    seller = world.sellers.get((request.region, grant.selling_partner_id))
    if grant.app.region != request.region or seller is None:
        raise unauthorized("The access token does not hold in this region.")
    return seller, grant.app.client_id


def static_caller(world: World, request: Request) -> tuple[str, str]:
    """Static mode asks for a token that is good, and not for which operation. Raises SpApiError 403."""
    token = world.grants.access_token(request.access_token or "")
    if token is None or token.expires_ms <= world.clock.now_ms() or (token.grant is not None and token.grant.revoked):
        raise unauthorized("The access token you provided is revoked, malformed, expired or missing.")
    return (token.grant.selling_partner_id, token.grant.app.client_id) if token.grant is not None else ("", "")


def take_quota(world: World, request: Request, operation: str, seller: Seller, client_id: str) -> bytes | None:
    """The rate-limit header of a call that goes through. Raises SpApiError 429."""
    settings = world.settings.quotas
    if not settings.enabled:
        return None
    pair = BucketKey(client_id, seller.selling_partner_id, request.region, operation)
    keys = [
        pair,
        *(
            BucketKey(client_id, "", request.region, operation, limit)
            for limit in application_limits(operation, request)
        ),
    ]
    hit = world.quotas.take(keys, world.clock.now_ms(), settings)
    if hit is not None:
        raise quota_exceeded(None if hit == PAIR else hit)
    plan = world.quotas.plan(pair)
    if plan is None or not world.shows_rate_limit():
        return None
    return rate_limit_header(plan, settings)


def application_limits(operation: str, request: Request) -> list[str]:
    """Which limits of the app this call counts against, besides the one of its seller (FACTS 3.2, 3.5)."""
    rates = APPLICATION_RATES.get(operation)
    if rates is None:
        return []
    limits = [APPLICATION]
    if PREVIEW in rates and b"mode=VALIDATION_PREVIEW" in request.query_string:
        limits.append(PREVIEW)
    if RELATIONSHIPS in rates:
        named = named_attributes(request.body)
        if named & RELATIONSHIP_ATTRIBUTES:
            limits.append(RELATIONSHIPS)
        if named - OFFER_ATTRIBUTES - RELATIONSHIP_ATTRIBUTES:
            limits.append(PRODUCT_DATA)
    return limits


def perform(world: World, routed: Routed, seller: Seller, request: Request) -> Answer:
    """The handler's answer, refusals included."""
    try:
        query = parse_qs(request.query_string.decode("ascii"), keep_blank_values=True, errors="strict")
        call = Call(world, seller, routed.arguments, query, request.body, request.base_url)
        return routed.operation.handler(call)
    except SpApiError as error:
        return error.answer()
    except ValueError as error:  # a query that is not text
        return invalid_input("Invalid Input", str(error)).answer()


def _decoded(segment: bytes) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise invalid_input("The path is not percent-encoded UTF-8.") from error
