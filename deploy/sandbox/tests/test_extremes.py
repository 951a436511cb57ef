"""Numbers beyond all reason, at each door that takes JSON: refused, and nobody else suffers."""

import pytest

from amazon_sandbox.jobs.job import DONE, FATAL, Job
from amazon_sandbox.settings import Settings
from amazon_sandbox.testing import LocalAmazon, SellingPartner, listings_feed, update_message
from amazon_sandbox.world import Seller, World

US = "ATVPDKIKX0DER"
LISTINGS = "JSON_LISTINGS_FEED"
HUGE = b'{"a":1e9999999999999999999}'


def test_an_exponent_beyond_reason_is_a_bad_request_to_the_sp_api(amazon: LocalAmazon, seller: SellingPartner) -> None:
    url = f"{amazon.urls['na']}/listings/2021-08-01/items/A1US/S"
    headers = {"x-amz-access-token": seller.access_token, "content-type": "application/json"}
    answer = amazon.http.put(url, params={"marketplaceIds": US}, content=HUGE, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "Request body is not valid JSON."


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/auth/o2/token", {"content-type": "application/json"}),
        ("POST", "/", {"x-amz-target": "AmazonSQS.CreateQueue"}),
        ("PUT", "/sandbox/settings", {}),
    ],
)
def test_an_exponent_beyond_reason_is_a_bad_request_everywhere(
    amazon: LocalAmazon, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = amazon.http.request(method, amazon.urls["lwa"] + path, content=HUGE, headers=headers)
    assert answer.status_code == 400


def test_a_feed_with_such_a_number_ends_fatal_and_the_next_one_runs(seller: SellingPartner) -> None:
    content = listings_feed(update_message(1, "S")).replace(b'"messageId": 1', b'"messageId": 1e9999999999999999999')
    broken = seller.feed(seller.submit_feed(LISTINGS, content, US))
    assert broken["processingStatus"] == "FATAL"
    assert b"not valid JSON" in seller.feed_result(broken["feedId"])
    after = seller.submit_feed(LISTINGS, listings_feed(update_message(1, "S")), US)
    assert seller.feed(after)["processingStatus"] == "DONE"


class Tried(Job):
    """A job with a mistake of ours in it, for one report type; any other is done at once."""

    def delays_s(self, settings: Settings) -> tuple[float, float]:
        return 0, 0

    def process(self, world: World, seller: Seller, at_ms: int) -> None:
        if self.kind == "BROKEN" and self.job_id == "1":
            raise ZeroDivisionError
        self.status = DONE

    def announce(self, world: World, seller: Seller) -> None:
        world.calls[self.job_id, 0] += 1


def test_a_job_that_breaks_ends_fatal_frees_its_place_and_hurts_no_other(caplog: pytest.LogCaptureFixture) -> None:
    world = World(Settings())
    seller = Seller("A1US", "NA", "Shop", (US,))
    jobs = [Tried(str(number), "BROKEN", (US,), world.clock.now_ms()) for number in (1, 2)]
    for job in jobs:
        seller.reports.submit(world, seller, job)
    world.settle()
    assert [job.status for job in jobs] == [FATAL, DONE]
    assert jobs[0].ended_ms is not None
    assert world.calls == {("1", 0): 1, ("2", 0): 1}  # whoever subscribed hears of both
    assert "BROKEN 1 could not be processed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
