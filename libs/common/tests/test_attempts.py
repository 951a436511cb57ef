"""When what failed is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from common.attempts import Patience

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_the_pauses_double_up_to_the_longest_and_then_the_item_is_parked() -> None:
    patience = Patience.growing(MINUTE, 5 * MINUTE, 4)
    due = [patience.next_attempt(failures, NOON) for failures in range(1, 6)]
    assert due == [NOON + MINUTE, NOON + 2 * MINUTE, NOON + 4 * MINUTE, NOON + 5 * MINUTE, None]


def test_the_first_try_again_may_be_at_once() -> None:
    patience = Patience.growing(MINUTE, 5 * MINUTE, 1, at_once=True)
    assert [patience.next_attempt(failures, NOON) for failures in (1, 2, 3)] == [NOON, NOON + MINUTE, None]


def test_patience_without_a_pause_is_refused() -> None:
    with pytest.raises(ValueError, match="ever tried again"):
        Patience([])
