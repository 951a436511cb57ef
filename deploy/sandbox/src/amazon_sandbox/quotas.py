"""Amazon's usage plans as tables of data, and the token buckets that enforce them (FACTS section 3)."""

from collections.abc import Iterable
from typing import NamedTuple

from amazon_sandbox.settings import QuotaSettings


class UsagePlan(NamedTuple):
    rate: float  # tokens a second
    burst: float


# For each seller and app in a region.
USAGE_PLANS: dict[str, UsagePlan] = {
    "getMarketplaceParticipations": UsagePlan(0.016, 15),
    "searchOrders": UsagePlan(0.0056, 20),
    "getOrder": UsagePlan(0.5, 30),
    "confirmShipment": UsagePlan(2, 10),
    "getListingsItem": UsagePlan(5, 10),
    "putListingsItem": UsagePlan(5, 10),
    "patchListingsItem": UsagePlan(5, 5),
    "deleteListingsItem": UsagePlan(5, 5),
    "searchListingsItems": UsagePlan(5, 5),
    "createFeedDocument": UsagePlan(0.5, 15),
    "createFeed": UsagePlan(0.0083, 15),
    "getFeed": UsagePlan(2, 15),
    "cancelFeed": UsagePlan(2, 15),
    "getFeeds": UsagePlan(0.0222, 10),
    "getFeedDocument": UsagePlan(0.0222, 10),
    "createReport": UsagePlan(0.0167, 15),
    "getReport": UsagePlan(2, 15),
    "getReports": UsagePlan(0.0222, 10),
    "cancelReport": UsagePlan(0.0222, 10),
    "getReportDocument": UsagePlan(0.0167, 15),
    "createReportSchedule": UsagePlan(0.0222, 10),
    "getReportSchedule": UsagePlan(0.0222, 10),
    "getReportSchedules": UsagePlan(0.0222, 10),
    "cancelReportSchedule": UsagePlan(0.0222, 10),
    "getOrders": UsagePlan(0.0167, 20),
    "getOrderV0": UsagePlan(0.5, 30),  # getOrder of Orders v0, which has a bucket of its own
    "getOrderItems": UsagePlan(0.5, 30),
    "getOrderAddress": UsagePlan(0.5, 30),
    "getOrderBuyerInfo": UsagePlan(0.5, 30),
    "getOrderItemsBuyerInfo": UsagePlan(0.5, 30),
    "getOrderRegulatedInfo": UsagePlan(0.5, 30),
    "updateShipmentStatus": UsagePlan(5, 15),
    "updateVerificationStatus": UsagePlan(0.5, 30),
    "createRestrictedDataToken": UsagePlan(1, 10),
    "createDestination": UsagePlan(1, 5),
    "getDestinations": UsagePlan(1, 5),
    "getDestination": UsagePlan(1, 5),
    "deleteDestination": UsagePlan(1, 5),
    "getSubscriptions": UsagePlan(1, 5),
    "createSubscription": UsagePlan(1, 5),
    "getSubscription": UsagePlan(1, 5),
    "getSubscriptionById": UsagePlan(1, 5),
    "deleteSubscriptionById": UsagePlan(1, 5),
    "sendTestNotification": UsagePlan(1, 5),
    "getAccount": UsagePlan(0.016, 15),
    "searchCatalogItems": UsagePlan(2, 2),
    "getCatalogItem": UsagePlan(2, 2),
    "getListingsRestrictions": UsagePlan(5, 10),
    "searchDefinitionsProductTypes": UsagePlan(5, 10),
    "getDefinitionsProductType": UsagePlan(5, 10),
    "getInventorySummaries": UsagePlan(2, 2),
    # FACTS 3.11: what exists in sandboxes only has the sandbox's throttle
    "createInventoryItem": UsagePlan(5, 15),
    "addInventory": UsagePlan(5, 15),
    "deleteInventoryItem": UsagePlan(5, 15),
    "rotateApplicationClientSecret": UsagePlan(0.0167, 1),
}

APPLICATION = "application"
PRODUCT_DATA = "product data"
RELATIONSHIPS = "relationships"
PREVIEW = "validation preview"

# For an app across all its sellers of a region, calls a second; Amazon publishes no burst: it is one second of them.
# The rate for relationships was raised in 2025 to a figure we have no source for: this is the one before.
APPLICATION_RATES: dict[str, dict[str, float]] = {
    "getListingsItem": {APPLICATION: 100},
    "putListingsItem": {APPLICATION: 500, PRODUCT_DATA: 100, RELATIONSHIPS: 5, PREVIEW: 20},
    "patchListingsItem": {APPLICATION: 500, PRODUCT_DATA: 100, RELATIONSHIPS: 5, PREVIEW: 20},
    "deleteListingsItem": {APPLICATION: 500},
    "getListingsRestrictions": {APPLICATION: 100},
    "searchCatalogItems": {APPLICATION: 500},
    "getCatalogItem": {APPLICATION: 250},
    "getDefinitionsProductType": {APPLICATION: 100},
    "searchDefinitionsProductTypes": {APPLICATION: 100},
}

STATIC_PLAN = UsagePlan(5, 15)  # FACTS 3.11: of Amazon's own sandbox, for every operation

STATIC = "static"
PAIR = "pair"  # what the limit of one seller and app is called among the others


class BucketKey(NamedTuple):
    """FACTS 3.2: one bucket for each of these; the limits of an app have no seller."""

    client_id: str
    selling_partner_id: str
    region: str
    operation: str
    limit: str = PAIR


class PlanChange(NamedTuple):
    """What a dial made of a plan: for one seller or (empty) all, for one region or (empty) all."""

    operation: str
    limit: str
    selling_partner_id: str
    region: str
    plan: UsagePlan


class Quotas:
    """Token buckets, all full at first, and the plans that a dial changed: Amazon's plans are dynamic (FACTS 3.3)."""

    def __init__(self) -> None:
        self._buckets: dict[BucketKey, tuple[float, int]] = {}
        self.changes: list[PlanChange] = []

    def change(self, change: PlanChange) -> None:
        """The newest change that fits a call holds; one for the same calls replaces the one before."""
        kept = [one for one in self.changes if one[:4] != change[:4]]
        self.changes = [change, *kept]

    def plan(self, key: BucketKey) -> UsagePlan | None:
        """The plan of this bucket; None when it has no limit."""
        for change in self.changes:
            if (
                change.operation == key.operation
                and change.limit == key.limit
                and change.selling_partner_id in ("", key.selling_partner_id)
                and change.region in ("", key.region)
            ):
                return change.plan
        if key.limit == STATIC:
            return STATIC_PLAN
        if key.limit == PAIR:
            return USAGE_PLANS.get(key.operation)
        rate = APPLICATION_RATES.get(key.operation, {}).get(key.limit)
        return UsagePlan(rate, rate) if rate is not None else None

    def take(self, keys: Iterable[BucketKey], now_ms: int, settings: QuotaSettings) -> str | None:
        """Takes a token of every bucket, or none at all and says the first limit that was hit (FACTS 3.1, 3.2)."""
        left: list[tuple[BucketKey, float]] = []
        for key in keys:
            plan = self.plan(key)
            if plan is None:
                continue
            burst = max(plan.burst * settings.scale, 1.0)
            tokens, since_ms = self._buckets.get(key, (burst, now_ms))
            tokens = min(burst, tokens + (now_ms - since_ms) / 1000 * plan.rate * settings.scale)
            if tokens < 1:
                self._buckets[key] = (tokens, now_ms)
                return key.limit
            left.append((key, tokens - 1))
        for key, tokens in left:
            self._buckets[key] = (tokens, now_ms)
        return None


def rate_limit_header(plan: UsagePlan, settings: QuotaSettings) -> bytes:
    """`x-amzn-RateLimit-Limit`: the rate of the account and app pair, not the tokens left (FACTS 3.3)."""
    return str(round(plan.rate * settings.scale, 6)).encode()
