"""Listings as CSV, record by record in both directions, so that any size passes through little memory."""

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from decimal import Decimal
from typing import Any

from common.csv_rows import CsvFault, CsvRow, ambiguous_number, decimal_text, read_csv
from common.reading import Row
from listings_service.checks import in_minor_units
from listings_service.schemas import RowErrorAnswer

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


async def records(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[CsvRow, dict[str, Any]] | CsvFault]:
    """The records of a CSV file as rows of an upsert; empty cells are left out. Raises `UnreadableCsv`.

    Columns of a download that are not for upload are passed over, so that a download can be sent back.
    """
    async for record in read_csv(chunks, required=_REQUIRED):
        yield _row(record) if isinstance(record, CsvRow) else record


def _row(record: CsvRow) -> tuple[CsvRow, dict[str, Any]] | CsvFault:
    row: dict[str, Any] = {name: cell for name, cell in record.cells.items() if name in COLUMNS and cell}
    row.setdefault("sku", "")
    amount, currency = row.pop("price", None), row.pop("currency", None)
    if amount is not None:
        number = decimal_text(amount)
        if number is None:
            return ambiguous_number(record, "price")
        row["price"] = {"amount": number, "currency": currency or ""}
    return record, row


def row_error(fault: CsvFault) -> RowErrorAnswer:
    """A record that could not be read, as the answer names it."""
    sku = fault.cells.get("sku", "")[:200]
    return RowErrorAnswer(
        row=fault.row, line=fault.line, sku=sku or None, code=fault.code, detail=fault.what, fix=fault.fix
    )


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
