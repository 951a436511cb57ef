"""Amazon's usage plans as a table of data, and the token buckets that enforce them (FACTS section 3)."""

from typing import NamedTuple

from amazon_sandbox.settings import QuotaSettings


class UsagePlan(NamedTuple):
    rate: float  # tokens a second
    burst: float


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


class BucketKey(NamedTuple):
    """FACTS 3.2: one bucket for each of these."""

    client_id: str
    selling_partner_id: str
    region: str
    operation: str


class Quotas:
    """Token buckets, all full at first."""

    def __init__(self) -> None:
        self._buckets: dict[BucketKey, tuple[float, int]] = {}

    def take(self, key: BucketKey, now_ms: int, settings: QuotaSettings) -> bool:
        """Takes one token if there is one (FACTS 3.1)."""
        plan = USAGE_PLANS[key.operation]
        burst = max(plan.burst * settings.scale, 1.0)
        tokens, since_ms = self._buckets.get(key, (burst, now_ms))
        tokens = min(burst, tokens + (now_ms - since_ms) / 1000 * plan.rate * settings.scale)
        if tokens < 1:
            self._buckets[key] = (tokens, now_ms)
            return False
        self._buckets[key] = (tokens - 1, now_ms)
        return True


def rate_limit_header(operation: str, settings: QuotaSettings) -> bytes:
    """`x-amzn-RateLimit-Limit`: the rate of the account and app pair, not the tokens left (FACTS 3.3)."""
    return str(round(USAGE_PLANS[operation].rate * settings.scale, 6)).encode()
