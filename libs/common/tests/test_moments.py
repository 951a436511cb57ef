"""Times at the edge of the calendar: refused where others tell them, before anything converts them to UTC."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from common.moments import Moment, MomentOrUtc, digits_in_utc, moment_problem
from common.pages import ByMoment, Paging, UnknownCursor, encode_cursor

EDGES = [
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-1))),
]
IDS = UUID("00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize("edge", EDGES)
def test_a_time_at_the_edge_of_the_calendar_is_refused_with_the_reason(edge: datetime) -> None:
    for kind in (Moment, MomentOrUtc):
        with pytest.raises(ValidationError, match="its year is not between 2000 and 2200"):
            TypeAdapter(kind).validate_python(edge.isoformat())
    assert digits_in_utc(edge).astimezone(UTC).year == edge.year


def test_years_are_taken_from_2000_to_2200() -> None:
    assert [moment_problem(datetime(year, 6, 1, tzinfo=UTC)) is None for year in (1999, 2000, 2200, 2201)] == [
        *(False, True, True, False)
    ]


def test_a_time_without_an_offset_is_refused_or_in_utc_where_it_was_always_taken() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        TypeAdapter(Moment).validate_python("2026-01-01T00:00:00")
    assert TypeAdapter(MomentOrUtc).validate_python("2026-01-01T00:00:00") == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("edge", EDGES)
def test_a_cursor_that_holds_such_a_time_is_none_of_ours(edge: datetime) -> None:
    def read(at: datetime) -> Any:
        return Paging(10, encode_cursor("list", (at, IDS)), total=False, list_id="list").after(ByMoment)

    with pytest.raises(UnknownCursor):
        read(edge)
    known = datetime(2026, 1, 1, tzinfo=UTC)
    assert read(known) == (known, IDS)
