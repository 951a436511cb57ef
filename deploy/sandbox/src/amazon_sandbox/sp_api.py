"""The Selling Partner API of one region: routing, authorisation and quotas, then the operation's handler."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, unquote_to_bytes

from amazon_sandbox import fba_inventory, sellers, tokens
from amazon_sandbox.bodies import refuse_unfit_body
from amazon_sandbox.calls import Call
from amazon_sandbox.catalog import operations as catalog_operations
from amazon_sandbox.catalog import restrictions
from amazon_sandbox.client_secrets import rotate_application_client_secret
from amazon_sandbox.definitions import operations as definitions_operations
from amazon_sandbox.feeds import operations as feed_operations
from amazon_sandbox.grants import AccessToken
from amazon_sandbox.listings import operations as listings_operations
from amazon_sandbox.listings import search as listings_search
from amazon_sandbox.listings.attributes import OFFER_ATTRIBUTES, RELATIONSHIP_ATTRIBUTES
from amazon_sandbox.listings.patches import named_attributes
from amazon_sandbox.lwa import NOTIFICATIONS_SCOPE, ROTATION_SCOPE
from amazon_sandbox.marketplaces import REGION_CODES
from amazon_sandbox.notifications import destinations, subscriptions
from amazon_sandbox.orders import reading, shipments, v0_reading, v0_updates
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
from amazon_sandbox.requests import Request
from amazon_sandbox.roles import REQUIRED_ROLES
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, quota_exceeded, unauthorized
from amazon_sandbox.world import Seller, World

Handler = Callable[[Call], Answer]


class Operation(NamedTuple):
    """`path`: fixed segments, and `*` for each variable one; `scope` makes it grantless (FACTS 2.4)."""

    name: str
    method: str
    path: str
    handler: Handler
    scope: str | None = None

    @property
    def roles(self) -> frozenset[str] | None:
        """One of these the app must hold and the seller have granted (FACTS 4.2); None is no role."""
        return REQUIRED_ROLES.get(self.path.partition("/")[0])


_DESTINATIONS = "notifications/v1/destinations"
_SUBSCRIPTIONS = "notifications/v1/subscriptions"
_V0_ORDERS = "orders/v0/orders"
_LISTINGS_ITEM = "listings/2021-08-01/items/*/*"

OPERATIONS = (
    Operation(
        "getMarketplaceParticipations",
        "GET",
        "sellers/v1/marketplaceParticipations",
        sellers.get_marketplace_participations,
    ),
    Operation("getAccount", "GET", "sellers/v1/account", sellers.get_account),
    Operation("getListingsItem", "GET", _LISTINGS_ITEM, listings_operations.get_listings_item),
    Operation("putListingsItem", "PUT", _LISTINGS_ITEM, listings_operations.put_listings_item),
    Operation("patchListingsItem", "PATCH", _LISTINGS_ITEM, listings_operations.patch_listings_item),
    Operation("deleteListingsItem", "DELETE", _LISTINGS_ITEM, listings_operations.delete_listings_item),
    Operation("searchListingsItems", "GET", "listings/2021-08-01/items/*", listings_search.search_listings_items),
    Operation("searchOrders", "GET", "orders/2026-01-01/orders", reading.search_orders),
    Operation("getOrder", "GET", "orders/2026-01-01/orders/*", reading.get_order),
    Operation("confirmShipment", "POST", "orders/v0/orders/*/shipmentConfirmation", shipments.confirm_shipment),
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
    Operation("getOrders", "GET", _V0_ORDERS, v0_reading.get_orders),
    Operation("getOrderV0", "GET", f"{_V0_ORDERS}/*", v0_reading.get_order),
    Operation("getOrderItems", "GET", f"{_V0_ORDERS}/*/orderItems", v0_reading.get_order_items),
    Operation("getOrderAddress", "GET", f"{_V0_ORDERS}/*/address", v0_reading.get_order_address),
    Operation("getOrderBuyerInfo", "GET", f"{_V0_ORDERS}/*/buyerInfo", v0_reading.get_order_buyer_info),
    Operation(
        "getOrderItemsBuyerInfo", "GET", f"{_V0_ORDERS}/*/orderItems/buyerInfo", v0_reading.get_order_items_buyer_info
    ),
    Operation("getOrderRegulatedInfo", "GET", f"{_V0_ORDERS}/*/regulatedInfo", v0_reading.get_order_regulated_info),
    Operation("updateShipmentStatus", "POST", f"{_V0_ORDERS}/*/shipment", v0_updates.update_shipment_status),
    Operation(
        "updateVerificationStatus", "PATCH", f"{_V0_ORDERS}/*/regulatedInfo", v0_updates.update_verification_status
    ),
    Operation(
        "createRestrictedDataToken",
        "POST",
        "tokens/2021-03-01/restrictedDataToken",
        tokens.create_restricted_data_token,
    ),
    Operation("createDestination", "POST", _DESTINATIONS, destinations.create_destination, NOTIFICATIONS_SCOPE),
    Operation("getDestinations", "GET", _DESTINATIONS, destinations.get_destinations, NOTIFICATIONS_SCOPE),
    Operation("getDestination", "GET", f"{_DESTINATIONS}/*", destinations.get_destination, NOTIFICATIONS_SCOPE),
    Operation(
        "deleteDestination", "DELETE", f"{_DESTINATIONS}/*", destinations.delete_destination, NOTIFICATIONS_SCOPE
    ),
    Operation("getSubscriptions", "GET", _SUBSCRIPTIONS, subscriptions.get_subscriptions),
    Operation("createSubscription", "POST", f"{_SUBSCRIPTIONS}/*", subscriptions.create_subscription),
    Operation("getSubscription", "GET", f"{_SUBSCRIPTIONS}/*", subscriptions.get_subscription),
    Operation(
        "getSubscriptionById",
        "GET",
        f"{_SUBSCRIPTIONS}/*/*",
        subscriptions.get_subscription_by_id,
        NOTIFICATIONS_SCOPE,
    ),
    Operation(
        "deleteSubscriptionById",
        "DELETE",
        f"{_SUBSCRIPTIONS}/*/*",
        subscriptions.delete_subscription_by_id,
        NOTIFICATIONS_SCOPE,
    ),
    Operation(
        "sendTestNotification",
        "POST",
        f"{_SUBSCRIPTIONS}/*/testNotification",
        subscriptions.send_test_notification,
        NOTIFICATIONS_SCOPE,
    ),
    Operation("searchCatalogItems", "GET", "catalog/2022-04-01/items", catalog_operations.search_catalog_items),
    Operation("getCatalogItem", "GET", "catalog/2022-04-01/items/*", catalog_operations.get_catalog_item),
    Operation(
        "getListingsRestrictions", "GET", "listings/2021-08-01/restrictions", restrictions.get_listings_restrictions
    ),
    Operation(
        "searchDefinitionsProductTypes",
        "GET",
        "definitions/2020-09-01/productTypes",
        definitions_operations.search_definitions_product_types,
    ),
    Operation(
        "getDefinitionsProductType",
        "GET",
        "definitions/2020-09-01/productTypes/*",
        definitions_operations.get_definitions_product_type,
    ),
    Operation("getInventorySummaries", "GET", "fba/inventory/v1/summaries", fba_inventory.get_inventory_summaries),
    Operation("createInventoryItem", "POST", "fba/inventory/v1/items", fba_inventory.create_inventory_item),
    Operation("addInventory", "POST", "fba/inventory/v1/items/inventory", fba_inventory.add_inventory),
    Operation("deleteInventoryItem", "DELETE", "fba/inventory/v1/items/*", fba_inventory.delete_inventory_item),
    Operation(
        "rotateApplicationClientSecret",
        "POST",
        "applications/2023-11-30/clientSecret",
        rotate_application_client_secret,
        ROTATION_SCOPE,
    ),
)

_ROUTES = {(operation.method, tuple(operation.path.encode().split(b"/"))): operation for operation in OPERATIONS}
_ROLES = {operation.name: operation.roles for operation in OPERATIONS}
_NOBODY = {region: Seller("", region, "", ()) for region in REGION_CODES}  # whom a grantless call is for
# The positions of the variable segments, by the number of segments: each of the few is tried as a dictionary key.
_SHAPES: dict[int, list[tuple[int, ...]]] = {}
for _method, _path in _ROUTES:
    _shape = tuple(at for at, segment in enumerate(_path) if segment == b"*")
    _shapes = _SHAPES.setdefault(len(_path), [])
    if _shape not in _shapes:
        _shapes.append(_shape)
        _shapes.sort()  # fixed segments win over variable ones

NO_OPERATION = "unknown"


class Caller(NamedTuple):
    """Who calls: the seller the token speaks for (nobody when grantless), the token, and the roles that count."""

    seller: Seller
    token: AccessToken
    roles: frozenset[str]


class Routed(NamedTuple):
    operation: Operation
    arguments: tuple[str, ...]


def route(request: Request) -> Routed:
    """The operation this is. Raises SpApiError 404."""
    segments = request.raw_path[1:].split(b"/")
    for shape in _SHAPES.get(len(segments), ()):
        pattern = list(segments)
        for position in shape:
            pattern[position] = b"*"
        operation = _ROUTES.get((request.method, tuple(pattern)))
        if operation is not None:
            return Routed(operation, tuple(_decoded(segments[position]) for position in shape))
    raise SpApiError(
        404, "NotFound", "The requested resource does not exist.", request.raw_path.decode("ascii", "replace")
    )


def authorized_caller(world: World, request: Request, operation: Operation) -> Caller:
    """Who calls `operation` in this region with this access token. Raises SpApiError 403."""
    if request.access_token is None:
        raise unauthorized("Access token is missing in the request header.")
    token = world.grants.access_token(request.access_token)
    if token is None:
        raise unauthorized("The access token you provided is revoked, malformed or invalid.")
    if token.expires_ms <= world.clock.now_ms():
        raise unauthorized("The access token you provided has expired.")
    if token.app.region != request.region:
        raise unauthorized("The access token does not hold in this region.")
    registration = world.registrations[token.app.client_id]
    grant = token.grant
    if grant is None:
        if operation.scope is None or token.scope != operation.scope:
            raise unauthorized("A grantless token of this scope cannot call this operation.")  # FACTS 2.4.2
        return Caller(_NOBODY[request.region], token, registration.roles)
    if operation.scope is not None:
        raise unauthorized("A grantless operation takes no seller's token.")  # FACTS 2.4.1
    if grant.revoked:
        raise unauthorized("The access token you provided is revoked, malformed or invalid.")
    seller = world.sellers.get((request.region, grant.selling_partner_id))
    if seller is None:
        raise unauthorized("The access token does not hold in this region.")
    roles = grant.roles if grant.roles is registration.roles else grant.roles & registration.roles
    needed = _ROLES[operation.name]
    if needed is not None and needed.isdisjoint(roles):
        raise unauthorized("The application does not have a role that this operation needs.")
    if token.restricted is not None:
        path = request.raw_path.decode("ascii", "replace")
        if not any(resource.covers(request.method, path) for resource in token.restricted):
            raise unauthorized("The Restricted Data Token was not made for this resource.")  # FACTS 4.6
    return Caller(seller, token, roles)


def static_caller(world: World, request: Request) -> tuple[str, str]:
    """Static mode asks for a token that is good, and not for which operation. Raises SpApiError 403."""
    token = world.grants.access_token(request.access_token or "")
    if token is None or token.expires_ms <= world.clock.now_ms() or (token.grant is not None and token.grant.revoked):
        raise unauthorized("The access token you provided is revoked, malformed, expired or missing.")
    return token.grant.selling_partner_id if token.grant is not None else "", token.app.client_id


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


def perform(world: World, routed: Routed, caller: Caller, request: Request) -> Answer:
    """The handler's answer, refusals included."""
    try:
        refuse_unfit_body(routed.operation.name, request)
        query = _parameters(request.query_string)
        call = Call(world, caller.seller, routed.arguments, query, request.body, caller.token, caller.roles, request)
        return routed.operation.handler(call)
    except SpApiError as error:
        return error.answer()


@lru_cache(maxsize=1024)
def _parameters(query_string: bytes) -> dict[str, list[str]]:
    """Read once for all calls that ask the same; nobody changes it. Raises SpApiError 400 when it is not text."""
    try:
        return parse_qs(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise invalid_input("Invalid Input", str(error)) from error


def _decoded(segment: bytes) -> str:
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise invalid_input("The path is not percent-encoded UTF-8.") from error
