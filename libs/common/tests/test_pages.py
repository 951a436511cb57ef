"""Cursors are bound to their list: what another list or other filters gave out is refused with the place."""

from typing import Any

import pytest

from common.pages import ByMoment, ByText, ByVersion, Paging, UnknownCursor, encode_cursor


def paging(cursor: str | None, list_id: str = "mine") -> Paging:
    return Paging(2, cursor, total=False, list_id=list_id)


async def count() -> int:
    return 3


async def test_a_page_gives_out_a_cursor_that_goes_on_where_it_ended() -> None:
    page = await paging(None).page(["a", "b", "c"], str.upper, lambda row: [row], count)
    assert (page.items, page.total) == (["A", "B"], None)
    assert paging(page.next_cursor).after(ByText) == ("b",)
    last = await Paging(2, None, total=True, list_id="mine").page(["c"], str.upper, lambda row: [row], count)
    assert (last.next_cursor, last.total) == (None, 3)


def test_a_cursor_of_another_list_is_refused_with_its_place() -> None:
    with pytest.raises(UnknownCursor) as refused:
        paging(encode_cursor("another", ["b"])).after(ByText)
    assert refused.value.where == "query.cursor"


@pytest.mark.parametrize(
    ("key", "into"),
    [(["a\0b"], ByText), ([2**40], ByVersion), ([-1], ByVersion), (["2026-01-01T00:00:00"], ByMoment), ([], ByText)],
)
def test_a_cursor_that_no_query_could_take_is_refused(key: list[Any], into: Any) -> None:
    with pytest.raises(UnknownCursor):
        paging(encode_cursor("mine", key)).after(into)
    with pytest.raises(UnknownCursor):
        paging("no cursor").after(into)
