"""Three seeds of two minutes: whatever dies, stops or is refused, the invariants hold once it has drained."""

import pytest
from tests.faults.running import run

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.mark.fault("F1", "F2", "F3", "F5", "F6", "F12", "F16", "F17")
@pytest.mark.row("B15", "C3", "C8", "C6")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_doubled_or_older_while_two_replicas_are_killed_and_stalled(seed: int) -> None:
    verdict = run(seed, 120, print)
    assert verdict.violations == []
