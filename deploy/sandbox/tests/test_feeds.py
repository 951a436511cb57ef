"""Feeds 2021-06-30 of every type: made, queued, stuck, cancelled and listed (FACTS section 6)."""

import itertools
import json
from typing import Any

import pytest

from amazon_sandbox.testing import LocalAmazon, SellingPartner, listings_feed, update_message

US = "ATVPDKIKX0DER"
CA = "A2EUQ1WTGCTBG2"
LISTINGS = "JSON_LISTINGS_FEED"


def exists(seller: SellingPartner, sku: str) -> bool:
    return seller.listings_item("GET", sku, marketplaceIds=US).status_code == 200


@pytest.mark.fact("6.6")
def test_five_listings_feeds_in_five_minutes_per_account_and_region(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.create_seller("A3US", "NA", US)
    other = amazon.connect("A3US", "NA")
    amazon.settings(quotas={"enabled": True})
    document_id = seller.upload(b"{}")
    wish = {"feedType": LISTINGS, "marketplaceIds": [US], "inputFeedDocumentId": document_id}
    assert [seller.feeds("POST", body=wish).status_code for _ in range(6)] == [202] * 5 + [429]
    assert other.submit_feed(LISTINGS, b"{}", US)
    assert seller.submit_feed("POST_ORDER_ACKNOWLEDGEMENT_DATA", b"", US)  # other types have only the common limit
    amazon.advance(301)
    assert seller.feeds("POST", body=wish).status_code == 202


@pytest.mark.fact("6.7")
@pytest.mark.parametrize("feed_type", ["POST_PRODUCT_DATA", "POST_INVENTORY_AVAILABILITY_DATA"])
def test_legacy_listing_feeds_end_fatal(seller: SellingPartner, feed_type: str) -> None:
    feed = seller.feed(seller.submit_feed(feed_type, b"<AmazonEnvelope/>", US))
    assert feed["processingStatus"] == "FATAL"
    assert "resultFeedDocumentId" not in feed


@pytest.mark.fact("6.3")
def test_feeds_of_a_type_run_one_after_another(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=15, feed_processing_s=60)
    ids = [seller.submit_feed(LISTINGS, listings_feed(update_message(1, f"S-{n}")), US) for n in range(3)]
    other = seller.submit_feed("POST_PRODUCT_DATA", b"", US)

    def statuses() -> list[str]:
        return [seller.feed(feed_id)["processingStatus"] for feed_id in [*ids, other]]

    assert statuses() == ["IN_QUEUE"] * 4
    amazon.advance(16)
    assert statuses() == ["IN_PROGRESS", "IN_QUEUE", "IN_QUEUE", "IN_PROGRESS"]
    amazon.advance(60)
    assert statuses() == ["DONE", "IN_PROGRESS", "IN_QUEUE", "FATAL"]
    amazon.advance(1800)
    feeds = [seller.feed(feed_id) for feed_id in ids]
    assert [feed["processingStatus"] for feed in feeds] == ["DONE"] * 3
    for before, after in itertools.pairwise(feeds):  # a clock that jumps loses no second
        assert after["processingStartTime"] == before["processingEndTime"]


@pytest.mark.pain("7")
@pytest.mark.fact("6.3")
@pytest.mark.parametrize("status", ["IN_QUEUE", "IN_PROGRESS"])
def test_a_stuck_feed_blocks_those_behind_it_until_it_is_released(
    amazon: LocalAmazon, seller: SellingPartner, status: str
) -> None:
    amazon.dial("POST", "/sandbox/feeds/next", {"selling_partner_id": "A1US", "type": LISTINGS, "stick": status})
    stuck = seller.submit_feed(LISTINGS, listings_feed(update_message(1, "FIRST")), US)
    behind = seller.submit_feed(LISTINGS, listings_feed(update_message(1, "SECOND")), US)
    amazon.advance(24 * 3600)
    later = amazon.connect("A1US", "NA")
    assert [later.feed(each)["processingStatus"] for each in (stuck, behind)] == [status, "IN_QUEUE"]
    (first, second) = amazon.dial("GET", "/sandbox/books/feeds", selling_partner_id="A1US")["feeds"]
    assert (first["stuck"], second["stuck"]) == (True, False)
    amazon.dial("POST", f"/sandbox/feeds/{stuck}/release")
    assert [later.feed(each)["processingStatus"] for each in (stuck, behind)] == ["DONE", "DONE"]


@pytest.mark.pain("7")
def test_the_seller_can_cancel_a_feed_stuck_in_the_queue_but_not_one_in_progress(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    dial = {"selling_partner_id": "A1US", "type": LISTINGS}
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "stick": "IN_QUEUE"})
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "stick": "IN_PROGRESS"})
    queued, running, behind = (
        seller.submit_feed(LISTINGS, listings_feed(update_message(1, f"S-{n}")), US) for n in range(3)
    )
    assert seller.feeds("DELETE", f"feeds/{queued}").status_code == 200
    assert seller.feeds("DELETE", f"feeds/{running}").status_code == 400
    assert [seller.feed(each)["processingStatus"] for each in (queued, running, behind)] == [
        "CANCELLED",
        "IN_PROGRESS",
        "IN_QUEUE",
    ]


@pytest.mark.pain("7")
def test_a_running_feed_can_be_stuck_and_released_by_hand(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=0, feed_processing_s=60)
    feed_id = seller.submit_feed(LISTINGS, listings_feed(update_message(1, "S")), US)
    amazon.dial("POST", f"/sandbox/feeds/{feed_id}/stick")
    amazon.advance(600)
    assert seller.feed(feed_id)["processingStatus"] == "IN_PROGRESS"
    amazon.dial("POST", f"/sandbox/feeds/{feed_id}/release")
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    with pytest.raises(RuntimeError, match="409"):
        amazon.dial("POST", f"/sandbox/feeds/{feed_id}/stick")
    with pytest.raises(RuntimeError, match="not stuck"):
        amazon.dial("POST", f"/sandbox/feeds/{feed_id}/release")
    with pytest.raises(RuntimeError, match="404"):
        amazon.dial("POST", "/sandbox/feeds/1/release")


@pytest.mark.fact("6.2")
def test_a_feed_can_be_cancelled_while_it_is_queued_and_only_then(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=15, feed_processing_s=60)
    first, second, third = (
        seller.submit_feed(LISTINGS, listings_feed(update_message(1, f"S-{n}")), US) for n in range(3)
    )
    amazon.advance(20)
    refused = seller.feeds("DELETE", f"feeds/{first}")
    assert refused.status_code == 400
    assert "IN_PROGRESS" in refused.json()["errors"][0]["message"]
    assert seller.feeds("DELETE", f"feeds/{second}").status_code == 200
    amazon.advance(60)
    assert [seller.feed(each)["processingStatus"] for each in (first, second, third)] == [
        "DONE",
        "CANCELLED",
        "IN_PROGRESS",
    ]
    assert seller.feeds("DELETE", f"feeds/{second}").status_code == 400
    assert seller.feeds("DELETE", "feeds/1").status_code == 404
    amazon.advance(60)
    assert not exists(seller, "S-1")


@pytest.mark.fact("6.2")
def test_a_fatal_feed_may_be_partly_applied(amazon: LocalAmazon, seller: SellingPartner) -> None:
    wish = {"selling_partner_id": "A1US", "end": "FATAL", "fatal_after": 1}
    amazon.dial("POST", "/sandbox/feeds/next", wish)
    feed_id = seller.submit_feed(LISTINGS, listings_feed(update_message(1, "FIRST"), update_message(2, "SECOND")), US)
    assert seller.feed(feed_id)["processingStatus"] == "FATAL"
    assert (exists(seller, "FIRST"), exists(seller, "SECOND")) == (True, False)


def test_dials_decide_what_becomes_of_the_next_feeds(amazon: LocalAmazon, seller: SellingPartner) -> None:
    dial = {"selling_partner_id": "A1US"}
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "end": "FATAL"})
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "end": "CANCELLED", "type": "POST_PRODUCT_DATA"})
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "fail_every": 2, "fail_skus": ["S-1"], "count": 2})
    content = listings_feed(*(update_message(n, f"S-{n}") for n in range(1, 6)))
    dead = seller.feed(seller.submit_feed(LISTINGS, content, US))
    assert (dead["processingStatus"], dead.get("resultFeedDocumentId")) == ("FATAL", None)
    cancelled = seller.feed(seller.submit_feed("POST_PRODUCT_DATA", b"", US))
    assert cancelled["processingStatus"] == "CANCELLED"
    for _ in range(2):
        issues = seller.processing_report(content, US)["issues"]
        assert [one["messageId"] for one in issues] == [1, 2, 4]
    assert seller.processing_report(content, US)["issues"] == []
    amazon.dial("POST", "/sandbox/feeds/next", {**dial, "processing_s": 3600})
    slow = seller.submit_feed(LISTINGS, content, US)
    amazon.advance(3500)
    assert seller.feed(slow)["processingStatus"] == "IN_PROGRESS"
    amazon.dial("POST", "/sandbox/feeds/next", dial)
    assert amazon.dial("DELETE", "/sandbox/feeds/next") == {"planned": []}
    for mistake in ({"end": "DONE"}, {"type": "POST_NONSENSE"}, {"fail_every": 0}, {"nonsense": 1}):
        with pytest.raises(RuntimeError, match="usage"):
            amazon.dial("POST", "/sandbox/feeds/next", {**dial, **mistake})


@pytest.mark.fact("5.6.1")
def test_what_a_feed_accepts_shows_after_the_listing_delay(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(listing_delay_s=120, feed_processing_s=60)
    feed_id = seller.submit_feed(LISTINGS, listings_feed(update_message(1, "S")), US)
    amazon.advance(61)
    assert seller.feed(feed_id)["processingStatus"] == "DONE"
    assert not exists(seller, "S")
    amazon.advance(120)
    assert exists(seller, "S")


@pytest.mark.parametrize(
    "change",
    [
        {"feedType": "POST_NONSENSE"},
        {"feedType": None},
        {"marketplaceIds": []},
        {"marketplaceIds": [US] * 26},
        {"marketplaceIds": ["A1F83G8C2ARO7P"]},
        {"inputFeedDocumentId": "nothing"},
        {"feedOptions": {"a": 1}},
    ],
)
def test_a_feed_that_makes_no_sense_is_refused(seller: SellingPartner, change: dict[str, Any]) -> None:
    wish = {"feedType": LISTINGS, "marketplaceIds": [US], "inputFeedDocumentId": seller.upload(b"{}"), **change}
    assert seller.feeds("POST", body=wish).status_code == 400
    assert seller.feeds("POST", "documents", {"contentType": ""}).status_code == 400
    assert seller.feeds("POST", "documents", {}).status_code == 400


def test_feeds_are_listed_by_filters_in_pages_that_carry_the_filters(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    ids = [seller.submit_feed(LISTINGS, b"{}", US) for _ in range(5)]
    seller.submit_feed("POST_PRODUCT_DATA", b"", US)
    first = seller.feeds("GET", feedTypes=LISTINGS, processingStatuses="DONE,FATAL", pageSize="2").json()
    second = seller.feeds("GET", nextToken=first["nextToken"]).json()
    third = seller.feeds("GET", nextToken=second["nextToken"]).json()
    pages = [[feed["feedId"] for feed in page["feeds"]] for page in (first, second, third)]
    assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert "nextToken" not in third
    now = amazon.dial("GET", "/sandbox/clock")["now"]
    for query, count in (
        ({"feedTypes": f"{LISTINGS},POST_PRODUCT_DATA"}, 6),
        ({"feedTypes": LISTINGS, "processingStatuses": "IN_QUEUE"}, 0),
        ({"feedTypes": LISTINGS, "marketplaceIds": CA}, 0),
        ({"feedTypes": LISTINGS, "createdSince": now}, 0),
        ({"feedTypes": LISTINGS, "createdUntil": now, "createdSince": "2020-01-01T00:00:00Z"}, 5),
    ):
        assert len(seller.feeds("GET", **query).json()["feeds"]) == count
    for query in (
        {},
        {"feedTypes": LISTINGS, "processingStatuses": "BAD_VALUE"},
        {"feedTypes": LISTINGS, "pageSize": "101"},
        {"feedTypes": LISTINGS, "createdSince": "yesterday"},
        {"feedTypes": ",".join([LISTINGS] * 11)},
        {"nextToken": first["nextToken"], "feedTypes": LISTINGS},
        {"nextToken": "rubbish"},
    ):
        assert seller.feeds("GET", **query).status_code == 400
    assert seller.reports("GET", nextToken=first["nextToken"]).status_code == 400


def test_the_next_page_goes_on_below_a_feed_that_no_longer_fits_the_filter(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    amazon.settings(feed_queue_s=60)
    ids = [seller.submit_feed(LISTINGS, b"{}", US) for _ in range(4)]
    first = seller.feeds("GET", feedTypes=LISTINGS, processingStatuses="IN_QUEUE", pageSize="2").json()
    assert [feed["feedId"] for feed in first["feeds"]] == [ids[3], ids[2]]
    assert seller.feeds("DELETE", f"feeds/{ids[2]}").status_code == 200
    second = seller.feeds("GET", nextToken=first["nextToken"]).json()
    assert [feed["feedId"] for feed in second["feeds"]] == [ids[1], ids[0]]


def test_feeds_under_way_travel_in_a_snapshot(amazon: LocalAmazon, seller: SellingPartner) -> None:
    amazon.settings(feed_queue_s=15, feed_processing_s=60)
    ids = [seller.submit_feed(LISTINGS, listings_feed(update_message(1, f"S-{n}")), US) for n in range(2)]
    amazon.advance(20)
    world = amazon.http.get(amazon.urls["dials"] + "/sandbox/world").content
    amazon.dial("DELETE", "/sandbox/world")
    restored = amazon.http.put(amazon.urls["dials"] + "/sandbox/world", content=world)
    assert restored.status_code == 200, restored.text
    assert [seller.feed(each)["processingStatus"] for each in ids] == ["IN_PROGRESS", "IN_QUEUE"]
    amazon.advance(120)
    assert [seller.feed(each)["processingStatus"] for each in ids] == ["DONE", "DONE"]
    assert json.loads(seller.feed_result(ids[1]))["summary"]["messagesAccepted"] == 1


@pytest.mark.fact("3.8")
def test_an_app_without_the_role_is_refused_by_the_type_of_feed_or_report(
    amazon: LocalAmazon, seller: SellingPartner
) -> None:
    document_id = seller.upload(b"{}")
    feed = {"marketplaceIds": [US], "inputFeedDocumentId": document_id}
    report = {"marketplaceIds": [US]}
    orders = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"

    def statuses() -> list[int]:
        return [
            seller.feeds("POST", body={**feed, "feedType": LISTINGS}).status_code,
            seller.feeds("POST", body={**feed, "feedType": "POST_ORDER_ACKNOWLEDGEMENT_DATA"}).status_code,
            seller.reports("POST", body={**report, "reportType": orders}).status_code,
            seller.reports("POST", "schedules", {**report, "reportType": orders, "period": "P1D"}).status_code,
        ]

    amazon.app_settings(roles=["Product Listing"])
    assert statuses() == [202, 403, 403, 403]
    amazon.app_settings(roles=["Pricing"])
    assert statuses() == [403, 403, 403, 403]
    amazon.app_settings(roles=["Inventory and Order Tracking"])
    assert [status in (201, 202) for status in statuses()] == [True, True, True, True]
