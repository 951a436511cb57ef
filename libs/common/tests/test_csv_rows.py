"""Others' CSV files: every record is a row or is reported with its line, whatever the file was saved by (edge 41)."""

import csv
import io
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.csv_rows import LONGEST_RECORD, CsvFault, CsvRow, UnreadableCsv, decimal_text, read_csv

NAMES = ("sku", "title", "quantity")


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(content: bytes, size: int = 7) -> list[CsvRow | CsvFault]:
    return [one async for one in read_csv(pieces(content, size), required=("sku", "quantity"), known=NAMES)]


def cells(found: Sequence[CsvRow | CsvFault]) -> list[tuple[int, tuple[str, ...] | str]]:
    """Line and cells of each row, line and code of each fault."""
    return [(one.line, tuple(one.cells.values()) if isinstance(one, CsvRow) else one.code) for one in found]


@pytest.mark.edge(41)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'sku,title,quantity\nA,12" pan,5\nB,b,6\n', [(2, ("A", '12" pan', "5")), (3, ("B", "b", "6"))]),
        (b'sku,title,quantity\nA,"12"" pan",5\nB,b,6\n', [(2, ("A", '12" pan', "5")), (3, ("B", "b", "6"))]),
        (b'sku,title,quantity\nA,"12" pan",5\nB,b,6\n', [(2, ("A", '12" pan', "5")), (3, ("B", "b", "6"))]),
        (b'sku,title,quantity\nA,"12" pan,5\nB,b,6\n', [(2, "quote-not-closed"), (3, ("B", "b", "6"))]),
        (b'sku,title,quantity\nA,"open,5\nB,b,6\n', [(2, "quote-not-closed"), (3, ("B", "b", "6"))]),
        (b'sku,title,quantity\nA,"open,5\nB,"b",6\n', [(2, "quote-not-closed"), (3, ("B", "b", "6"))]),
        (b'sku,title,quantity\nA,a,5\nB,"open,6', [(2, ("A", "a", "5")), (3, "quote-not-closed")]),
        (b'sku,title,quantity\nA,"two\nlines",5\nB,b,6\n', [(2, ("A", "two\nlines", "5")), (4, ("B", "b", "6"))]),
        (
            b"sku,title,quantity\nA,a\nB,b,6,7\nC,c,8,,\n",
            [(2, "wrong-width"), (3, "wrong-width"), (4, ("C", "c", "8"))],
        ),
        (b"sku;title;quantity\r\nA;a,b;5\r\n", [(2, ("A", "a,b", "5"))]),
        (b"sep=;\r\nsku;title;quantity\r\nA;a;5\r\n", [(3, ("A", "a", "5"))]),
        (b"sku\ttitle\tquantity\rA\ta\t5\rB\tb\t6", [(2, ("A", "a", "5")), (3, ("B", "b", "6"))]),
        (b" SKU , Title,QUANTITY\n\n,,\nA,a,5\n\n", [(4, ("A", "a", "5"))]),
        (b"\xef\xbb\xbfsku,title,quantity\nA,\xc3\xa9,5\n", [(2, ("A", "é", "5"))]),
        (b"sku,title,quantity\nA,caf\xe9,5\nB,b,6\n", [(2, "not-text"), (3, ("B", "b", "6"))]),
        ("\ufeffsku,title,quantity\nA,日本,5\n".encode("utf-16-le"), [(2, ("A", "日本", "5"))]),
        ("\ufeffsku;title;quantity\nA;日本;5\n".encode("utf-16-be"), [(2, ("A", "日本", "5"))]),
        ("sku,title,quantity\nA,a,5\n".encode("utf-16-le"), [(2, ("A", "a", "5"))]),
        (b'"sku","title","quantity"\n"A","",""\n', [(2, ("A", "", ""))]),
        ("sku,title,quantity\nA\u2028B\x85,a\x0b,5\n".encode(), [(2, ("A\u2028B\x85", "a\x0b", "5"))]),
    ],
)
async def test_every_record_is_a_row_or_is_reported_with_its_line(
    content: bytes, expected: list[tuple[int, tuple[str, ...] | str]], size: int
) -> None:
    assert cells(await read(content, size)) == expected


async def test_a_quote_that_never_closes_costs_its_own_line_however_long_the_file_goes_on() -> None:
    rows = [f"S{number},title,{number}" for number in range(20_000)]
    rows[5] = 'S5,"open,5'
    rows[19_000] = 'S19000,"open,5'
    found = await read("\n".join(["sku,title,quantity", *rows]).encode(), 4096)
    assert [one.line for one in found] == list(range(2, 20_002))
    assert [(one.row, one.code) for one in found if isinstance(one, CsvFault)] == [
        (5, "quote-not-closed"),
        (19_000, "quote-not-closed"),
    ]


@pytest.mark.parametrize(
    "line", [b"A," + b"x" * (LONGEST_RECORD + 1) + b",5", b"A," + b"x" * 5 * LONGEST_RECORD + b",5"]
)
async def test_a_record_beyond_every_measure_is_reported_and_the_next_is_read(line: bytes) -> None:
    found = await read(b"sku,title,quantity\n" + line + b"\nB,b,6\n", 4096)
    assert cells(found)[-1] == (3, ("B", "b", "6"))
    assert [one.line for one in found] == [2, 3]
    assert isinstance(found[0], CsvFault)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"asin,quantity\nA,5\n", "lacks sku"),
        (b"sku,quantity,sku\nA,5,B\n", "twice"),
        (b"sku,quantity,colour\nA,5,red\n", "only"),
        (b'"sku,quantity\nA,5\n', "header cannot be read"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00", "header"),
    ],
)
async def test_a_file_without_our_header_is_refused_before_any_row(content: bytes, why: str) -> None:
    with pytest.raises(UnreadableCsv, match=why):
        await read(content)


ANY_CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufffd\ufeff"), max_size=12)


@given(
    st.lists(st.tuples(ANY_CELL, ANY_CELL, ANY_CELL).filter(any), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 40),
)
async def test_what_a_proper_writer_wrote_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, encoding: str, ending: str, size: int
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([NAMES, *rows])
    found = await read(file.getvalue().encode(encoding), size)
    assert [tuple(one.cells.values()) for one in found if isinstance(one, CsvRow)] == rows
    assert len(found) == len(rows)


LINES = st.lists(st.text('AB,;"\t x5', min_size=1, max_size=12).filter(lambda line: line.strip(',;"\t ')), max_size=12)


@given(LINES, st.integers(1, 40))
async def test_no_line_vanishes_whatever_quotes_and_separators_stand_in_it(lines: list[str], size: int) -> None:
    found = await read("\n".join(["sku,title,quantity", *lines]).encode(), size)
    covered: set[int] = set()
    for one, until in zip(found, [*(one.line for one in found[1:]), len(lines) + 2], strict=False):
        assert one.line < until
        held = "\n".join(lines[one.line - 2 : until - 2])
        if until - one.line > 1:  # a record over several lines is one properly quoted cell after another
            assert isinstance(one, CsvRow) or one.code == "wrong-width"
            assert held.count('"') % 2 == 0
        covered |= set(range(one.line, until))
    assert covered == set(range(2, len(lines) + 2))


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("19.99", "19.99"),
        ("19,99", "19.99"),
        (" 5 ", "5"),
        ("-3,5", "-3.5"),
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1.234.567,8", "1234567.8"),
        ("1,234", None),
        ("1,2,3", None),
        ("1,234,567", None),
        ("12,345.6.7", None),
        ("five", "five"),
    ],
)
def test_a_number_is_read_when_it_can_mean_one_thing_only(cell: str, number: str | None) -> None:
    assert decimal_text(cell) == number
