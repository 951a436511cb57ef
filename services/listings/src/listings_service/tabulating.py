"""Listings as CSV, record by record in both directions, so that any size passes through little memory."""

import codecs
import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from typing import Any

from common.errors import InvalidRequest
from common.reading import Row
from listings_service.checks import in_minor_units

# What an upload may name; `channel_id` and `sku` it must.
COLUMNS = ("channel_id", "sku", "parent_sku", "title", "quantity", "price", "currency", "as_of")
_REQUIRED = frozenset({"channel_id", "sku"})
_DOWNLOADED = (
    *COLUMNS[:-1],
    "id",
    "link",
    "health",
    "paused",
    "amazon_quantity",
    "amazon_price",
    "asin",
)
_LONGEST_RECORD = 100_000


class UnreadableCsv(InvalidRequest):
    slug, title = "unreadable-csv", "The file is not CSV as we read it"
    fix = "Send UTF-8, comma separated, with a header that names channel_id and sku"


async def records(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The records of a CSV file as rows of an upsert; empty cells are left out. Raises `UnreadableCsv`."""
    header: list[str] | None = None
    async for cells in _cells(chunks):
        if header is None:
            header = _checked([name.strip() for name in cells])
        elif cells:
            yield _row(header, cells)
    if header is None:
        raise UnreadableCsv("the file is empty")


def _checked(header: list[str]) -> list[str]:
    if missing := _REQUIRED - set(header):
        raise UnreadableCsv(f"the header lacks {', '.join(sorted(missing))}")
    if len(set(header)) < len(header):
        raise UnreadableCsv("the header names a column twice")
    return header


def _row(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Columns of a download that are not for upload are passed over, so that a download can be sent back."""
    row: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=False) if name in COLUMNS and cell}
    row.setdefault("sku", "")
    amount, currency = row.pop("price", None), row.pop("currency", None)
    if amount is not None:
        row["price"] = {"amount": amount, "currency": currency or ""}
    return row


async def _cells(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[str]]:
    """The cells of each record. A record ends at a line's end outside of quotes."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    pending = ""
    async for chunk in chunks:
        pending += _decoded(decoder, chunk)
        *lines, pending = pending.split("\n")
        carried = ""
        for line in lines:
            carried += line + "\n"
            if carried.count('"') % 2 == 0:
                yield _parsed(carried)
                carried = ""
        pending = carried + pending
        if len(pending) > _LONGEST_RECORD:
            raise UnreadableCsv(f"a record is longer than {_LONGEST_RECORD} characters; is a quote left open?")
    pending += _decoded(decoder, b"", final=True)
    if pending:
        yield _parsed(pending)


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> str:
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError:
        raise UnreadableCsv("the file is not UTF-8") from None


def _parsed(record: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(record, newline=""), strict=True), [])
    except csv.Error as error:
        raise UnreadableCsv(str(error)) from None


def header_line() -> str:
    return _line(_DOWNLOADED)


def lines(listings: Sequence[Row]) -> Iterator[str]:
    """One CSV line per listing (rows of `selecting.LISTING`), in the columns of an upload and some more."""
    for row in listings:
        yield _line(
            (
                row["channel_id"],
                row["sku"],
                row["parent_sku"],
                row["title"],
                row["quantity"],
                _amount(row["price"], row["currency"]),
                row["currency"] if row["price"] is not None else None,
                row["id"],
                row["link"],
                row["health"],
                row["paused"],
                row["amazon_quantity"],
                _amount(row["amazon_price"], row["amazon_currency"]),
                row["asin"],
            )
        )


def _amount(amount: Decimal | None, currency: str | None) -> Decimal | None:
    return in_minor_units(amount, currency) if amount is not None and currency else None


def _line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
