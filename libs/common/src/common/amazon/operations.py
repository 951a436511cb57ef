"""Amazon's operations as one table: path, rate, burst, whether a repeat is harmless, and which service spends the rate.

Rates and bursts: the models' usage plans (FACTS 3); per-application limits: the "rate limits" pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Service = Literal["auth", "listings", "orders", "compliance"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One Selling Partner API operation.

    `rate` (calls a second) and `burst` (calls) hold per selling-partner account, application and region;
    `application_rate` (calls a second) holds across all sellers of the application, where Amazon has one (FACTS 3.2).
    `idempotent`: a repeat with the same content changes nothing more (FACTS 3.9), so an unknown outcome may be retried.
    `shares`: service -> part of the rate it may spend. Each service keeps its buckets in its own database, so the parts
    must not sum to more than 1.
    """

    name: str
    method: Method
    path: str
    rate: float
    burst: float
    shares: Mapping[Service, float]
    idempotent: bool
    application_rate: float | None = None


def _owned_by(service: Service) -> Mapping[Service, float]:
    return MappingProxyType({service: 1.0})


_AUTH, _LISTINGS, _ORDERS = _owned_by("auth"), _owned_by("listings"), _owned_by("orders")
# Documents carry listing feeds and listing reports on one side, order acknowledgements and order reports on the other.
_LISTINGS_AND_ORDERS: Mapping[Service, float] = MappingProxyType({"listings": 0.7, "orders": 0.3})
# auth asks it whether a new grant is that seller's: nothing else at Amazon says so.
_SEARCHERS: Mapping[Service, float] = MappingProxyType({"listings": 0.9, "auth": 0.1})
_HALVES: Mapping[Service, float] = MappingProxyType({"listings": 0.5, "orders": 0.5})

_ORDER = "/orders/2026-01-01/orders/{orderId}"
_LISTING = "/listings/2021-08-01/items/{sellerId}/{sku}"

GET_MARKETPLACE_PARTICIPATIONS = Operation(
    "getMarketplaceParticipations", "GET", "/sellers/v1/marketplaceParticipations", 0.016, 15, _AUTH, True
)
ROTATE_APPLICATION_CLIENT_SECRET = Operation(
    "rotateApplicationClientSecret", "POST", "/applications/2023-11-30/clientSecret", 0.0167, 1, _AUTH, False
)
CREATE_RESTRICTED_DATA_TOKEN = Operation(
    "createRestrictedDataToken", "POST", "/tokens/2021-03-01/restrictedDataToken", 1, 10, _ORDERS, True
)

SEARCH_ORDERS = Operation("searchOrders", "GET", "/orders/2026-01-01/orders", 0.0056, 20, _ORDERS, True)
GET_ORDER = Operation("getOrder", "GET", _ORDER, 0.5, 30, _ORDERS, True)
# The same packageReferenceId edits the same package, so a repeat is harmless (FACTS 8.4.1).
CONFIRM_SHIPMENT = Operation(
    "confirmShipment", "POST", "/orders/v0/orders/{orderId}/shipmentConfirmation", 2, 10, _ORDERS, True
)

# getListingsItem and putListingsItem: the model says burst 10, the SDK's table 5; the lower one is budgeted.
GET_LISTINGS_ITEM = Operation("getListingsItem", "GET", _LISTING, 5, 5, _LISTINGS, True, 100)
PUT_LISTINGS_ITEM = Operation("putListingsItem", "PUT", _LISTING, 5, 5, _LISTINGS, True, 100)
PATCH_LISTINGS_ITEM = Operation("patchListingsItem", "PATCH", _LISTING, 5, 5, _LISTINGS, True, 500)
DELETE_LISTINGS_ITEM = Operation("deleteListingsItem", "DELETE", _LISTING, 5, 5, _LISTINGS, True, 100)
SEARCH_LISTINGS_ITEMS = Operation(
    "searchListingsItems", "GET", "/listings/2021-08-01/items/{sellerId}", 5, 5, _SEARCHERS, True
)
GET_LISTINGS_RESTRICTIONS = Operation(
    "getListingsRestrictions", "GET", "/listings/2021-08-01/restrictions", 5, 10, _LISTINGS, True, 100
)
SEARCH_CATALOG_ITEMS = Operation("searchCatalogItems", "GET", "/catalog/2022-04-01/items", 2, 2, _LISTINGS, True, 500)
GET_CATALOG_ITEM = Operation("getCatalogItem", "GET", "/catalog/2022-04-01/items/{asin}", 2, 2, _LISTINGS, True, 250)
SEARCH_DEFINITIONS_PRODUCT_TYPES = Operation(
    "searchDefinitionsProductTypes", "GET", "/definitions/2020-09-01/productTypes", 5, 5, _LISTINGS, True, 100
)
GET_DEFINITIONS_PRODUCT_TYPE = Operation(
    "getDefinitionsProductType", "GET", "/definitions/2020-09-01/productTypes/{productType}", 5, 5, _LISTINGS, True, 100
)

_FEEDS = "/feeds/2021-06-30"
CREATE_FEED_DOCUMENT = Operation(
    "createFeedDocument", "POST", f"{_FEEDS}/documents", 0.5, 15, _LISTINGS_AND_ORDERS, True
)
# JSON_LISTINGS_FEED has a limit of its own: 5 submissions in 5 minutes (FACTS 6.6), so it is a row of its own.
CREATE_JSON_LISTINGS_FEED = Operation(
    "createFeed JSON_LISTINGS_FEED", "POST", f"{_FEEDS}/feeds", 5 / 300, 5, _LISTINGS, False
)
CREATE_FEED = Operation("createFeed", "POST", f"{_FEEDS}/feeds", 0.0083, 15, _ORDERS, False)
GET_FEED = Operation("getFeed", "GET", f"{_FEEDS}/feeds/{{feedId}}", 2, 15, _LISTINGS_AND_ORDERS, True)
GET_FEEDS = Operation("getFeeds", "GET", f"{_FEEDS}/feeds", 0.0222, 10, _LISTINGS_AND_ORDERS, True)
GET_FEED_DOCUMENT = Operation(
    "getFeedDocument", "GET", f"{_FEEDS}/documents/{{feedDocumentId}}", 0.0222, 10, _LISTINGS_AND_ORDERS, True
)
CANCEL_FEED = Operation("cancelFeed", "DELETE", f"{_FEEDS}/feeds/{{feedId}}", 2, 15, _LISTINGS_AND_ORDERS, True)

_REPORTS = "/reports/2021-06-30"
CREATE_REPORT = Operation("createReport", "POST", f"{_REPORTS}/reports", 0.0167, 15, _LISTINGS_AND_ORDERS, False)
GET_REPORT = Operation("getReport", "GET", f"{_REPORTS}/reports/{{reportId}}", 2, 15, _LISTINGS_AND_ORDERS, True)
GET_REPORT_DOCUMENT = Operation(
    "getReportDocument", "GET", f"{_REPORTS}/documents/{{reportDocumentId}}", 0.0167, 15, _LISTINGS_AND_ORDERS, True
)

_NOTIFICATIONS = "/notifications/v1"
CREATE_DESTINATION = Operation("createDestination", "POST", f"{_NOTIFICATIONS}/destinations", 1, 5, _HALVES, False)
GET_DESTINATIONS = Operation("getDestinations", "GET", f"{_NOTIFICATIONS}/destinations", 1, 5, _HALVES, True)
CREATE_SUBSCRIPTION = Operation(
    "createSubscription", "POST", f"{_NOTIFICATIONS}/subscriptions/{{notificationType}}", 1, 5, _HALVES, False
)
GET_SUBSCRIPTION = Operation(
    "getSubscription", "GET", f"{_NOTIFICATIONS}/subscriptions/{{notificationType}}", 1, 5, _HALVES, True
)
DELETE_SUBSCRIPTION_BY_ID = Operation(
    "deleteSubscriptionById",
    "DELETE",
    f"{_NOTIFICATIONS}/subscriptions/{{notificationType}}/{{subscriptionId}}",
    1,
    5,
    _HALVES,
    True,
)

OPERATIONS: tuple[Operation, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Operation))
