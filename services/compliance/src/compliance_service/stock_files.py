"""Source inventory as CSV, read while it arrives: memory holds one page, whatever the file's size."""

import codecs
import csv
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any
from uuid import UUID

from common.db import Database
from common.errors import InvalidRequest
from compliance_service.schemas import InventoryResult, RowError
from compliance_service.stocking import take_page

PAGE = 2000
ERRORS_LISTED = 1000
LONGEST_RECORD = 64 * 1024
COLUMNS = ("sku", "quantity", "cost", "currency", "as_of")


class CsvUnreadable(InvalidRequest):
    slug, title = "csv-unreadable", "The file is not the CSV we expect"
    fix = "Send UTF-8 with a header line: sku,quantity and optionally cost,currency,as_of"


async def take_csv(
    db: Database, account_id: UUID, source_id: UUID, chunks: AsyncIterable[bytes], *, reroute_delay_seconds: float
) -> InventoryResult:
    """Stores the file page by page, a transaction each; `row` in an error counts the data rows from 0.

    Raises `CsvUnreadable`; pages before the unreadable place stay, and sending the file again changes nothing twice.
    """
    total = InventoryResult()
    page: list[tuple[int, Mapping[str, Any]]] = []
    position = 0

    async def flush() -> None:
        async with db.transaction() as session:
            done = await take_page(session, account_id, source_id, page, reroute_delay_seconds=reroute_delay_seconds)
        total.created += done.created
        total.updated += done.updated
        total.outdated += done.outdated
        total.failed += done.failed
        total.errors += done.errors[: ERRORS_LISTED - len(total.errors)]
        page.clear()

    header: list[str] | None = None
    async for record in _records(chunks):
        if header is None:
            header = _header(record)
            continue
        if len(record) == len(header):
            page.append((position, _row(header, record)))
        else:
            total.failed += 1
            if len(total.errors) < ERRORS_LISTED:
                total.errors.append(_wrong_width(position, header, record))
        position += 1
        if len(page) == PAGE:
            await flush()
    if header is None:
        raise CsvUnreadable("the file is empty")
    if page:
        await flush()
    total.errors.sort(key=lambda error: error.row)
    return total


def _header(record: list[str]) -> list[str]:
    names = [name.strip().lower() for name in record]
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown or not {"sku", "quantity"} <= set(names) or len(set(names)) != len(names):
        raise CsvUnreadable(f"the header must name sku and quantity, and no other column than {', '.join(COLUMNS)}")
    return names


def _wrong_width(position: int, header: list[str], record: list[str]) -> RowError:
    what = f"the row has {len(record)} cells, the header {len(header)}"
    return RowError(
        row=position, sku=record[0][:200], code="wrong_width", what=what, fix="Put cells that hold commas in quotes"
    )


def _row(header: list[str], record: list[str]) -> Mapping[str, Any]:
    """The row in the shape of the JSON page; an empty cell is a field that was not given."""
    cells = {name: cell for name, cell in zip(header, record, strict=True) if cell}
    cost = {
        name: cells.pop(source) for name, source in (("amount", "cost"), ("currency", "currency")) if source in cells
    }
    return cells | ({"cost": cost} if cost else {})


async def _records(chunks: AsyncIterable[bytes]) -> AsyncIterator[list[str]]:
    """CSV records out of bytes; a quoted cell may hold line ends. Raises `CsvUnreadable`."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    pending = ""
    async for chunk in _ending(chunks):
        try:
            # Not splitlines(): a SKU may hold characters that Unicode counts as line ends.
            *lines, tail = decoder.decode(chunk, final=not chunk).split("\n")
        except UnicodeDecodeError:
            raise CsvUnreadable("the file is not UTF-8") from None
        for line in lines:
            pending += line + "\n"
            if _is_whole(pending):
                if pending.strip():
                    yield _cells(pending)
                pending = ""
        pending += tail
        if len(pending) > LONGEST_RECORD + len(chunk):
            raise CsvUnreadable("a record does not end; is a quote not closed?")
    if pending.strip():
        if not _is_whole(pending):
            raise CsvUnreadable("the last record does not end; is a quote not closed?")
        yield _cells(pending)


def _is_whole(text: str) -> bool:
    """Whether no quoted cell is left open."""
    return text.count('"') % 2 == 0


def _cells(record: str) -> list[str]:
    try:
        return next(csv.reader([record]))
    except csv.Error as error:
        raise CsvUnreadable(str(error)) from None


async def _ending(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks that hold something, and an empty one at the end."""
    async for chunk in chunks:
        if chunk:
            yield chunk
    yield b""
