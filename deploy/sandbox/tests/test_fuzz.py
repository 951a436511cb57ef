"""A short run of the fuzzer with a fixed seed; `make fuzz` runs it as long as one likes."""

import httpx
import pytest

from amazon_sandbox.fuzzing.fuzzer import Fuzzer
from amazon_sandbox.sp_api import OPERATIONS
from amazon_sandbox.testing import LocalAmazon, local_amazon


@pytest.mark.row("E1")
@pytest.mark.timeout(300)
def test_whatever_is_asked_is_answered_and_never_with_a_500(contract: object, http: httpx.Client) -> None:
    if contract is None:
        pytest.skip("Amazon's models are not beside this checkout")
    with local_amazon("--no-quotas") as urls:
        amazon = LocalAmazon(http, urls)
        fuzzer = Fuzzer(contract.folder, amazon, seed=1)  # type: ignore[attr-defined]
        fuzzer.run(requests=2000)
        assert fuzzer.findings == []
        assert amazon.dial("GET", "/sandbox/clock")["now"]
    asked = set(fuzzer.statuses)
    served = {one.name for one in OPERATIONS} - {"rotateApplicationClientSecret", "getOrderV0"}
    assert served <= asked
    doors = {name.split()[0] for name in asked} - served
    assert {"SQS", "page", "dial", "token", "document"} <= doors
    went_well = {name for name, statuses in fuzzer.statuses.items() if any(200 <= status < 300 for status in statuses)}
    assert len(went_well & served) >= 20, served - went_well  # not all of it is refused at the door
