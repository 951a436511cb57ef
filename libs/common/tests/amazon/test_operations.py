"""The table of operations: nobody spends more of a rate than there is, and the limits are Amazon's."""

import pytest

from common.amazon.operations import OPERATIONS, Operation

# Amazon's usage plans, entered a second time: operation, rate, burst. A smaller budget is allowed, a larger one is not.
PLANS = """
    searchOrders 0.0056 20
    getOrder 0.5 30
    confirmShipment 2 10
    getListingsItem 5 10
    putListingsItem 5 10
    patchListingsItem 5 5
    deleteListingsItem 5 5
    searchListingsItems 5 5
    getListingsRestrictions 5 10
    searchCatalogItems 2 2
    getCatalogItem 2 2
    searchDefinitionsProductTypes 5 10
    getDefinitionsProductType 5 10
    createFeedDocument 0.5 15
    createFeed 0.0083 15
    getFeed 2 15
    cancelFeed 2 15
    getFeeds 0.0222 10
    getFeedDocument 0.0222 10
    createReport 0.0167 15
    getReport 2 15
    getReportDocument 0.0167 15
    createRestrictedDataToken 1 10
    getMarketplaceParticipations 0.016 15
    rotateApplicationClientSecret 0.0167 1
    createDestination 1 5
    getDestinations 1 5
    createSubscription 1 5
    getSubscription 1 5
    deleteSubscriptionById 1 5
"""


@pytest.mark.fault("F10")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_services_shares_of_a_rate_sum_to_no_more_than_all_of_it(operation: Operation) -> None:
    assert 0 < sum(operation.shares.values()) <= 1
    assert all(share > 0 for share in operation.shares.values())


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(names) == len(set(names)) == len(PLANS.split()) // 3 + 1  # and JSON_LISTINGS_FEED


@pytest.mark.fact("3.1")
@pytest.mark.parametrize("line", PLANS.strip().splitlines(), ids=lambda line: line.split()[0])
def test_a_budget_is_within_amazons_plan(line: str) -> None:
    name, rate, burst = line.split()
    operation = next(operation for operation in OPERATIONS if operation.name == name)
    assert operation.rate == float(rate)
    assert operation.burst <= float(burst)


@pytest.mark.fact("6.6")
def test_the_json_listings_feed_has_its_own_five_in_five_minutes() -> None:
    feed = next(operation for operation in OPERATIONS if operation.name == "createFeed JSON_LISTINGS_FEED")
    assert (feed.rate * 300, feed.burst) == (5, 5)


@pytest.mark.fact("3.9")
def test_only_what_creates_something_anew_may_not_be_repeated() -> None:
    assert {operation.name for operation in OPERATIONS if not operation.idempotent} == {
        "createFeed",
        "createFeed JSON_LISTINGS_FEED",
        "createReport",
        "createDestination",
        "createSubscription",
        "rotateApplicationClientSecret",
    }
