"""Source inventory as CSV, read while it arrives: memory holds one page, whatever the file's size.

Each page is stored in the transaction that notes how far the file has come, so anybody can watch."""

import asyncio
import codecs
import csv
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import ClientDisconnect

from common import clock
from common.db import Database
from common.errors import InvalidRequest
from compliance_service.models import Source, StockUpload
from compliance_service.schemas import RowError, UploadAnswer
from compliance_service.stocking import take_page

PAGE = 2000
ERRORS_LISTED = 1000
LONGEST_RECORD = 64 * 1024
SILENT = timedelta(minutes=10)
BROKE_OFF = "the file did not come to its end"
COLUMNS = ("sku", "quantity", "cost", "currency", "as_of")


class CsvUnreadable(InvalidRequest):
    slug, title = "csv-unreadable", "The file is not the CSV we expect"
    fix = "Send UTF-8 with a header line: sku,quantity and optionally cost,currency,as_of"


async def begin_upload(session: AsyncSession, source: Source, bytes_total: int | None) -> StockUpload:
    """Notes that a file is coming."""
    now = clock.now()
    upload = StockUpload(
        account_id=source.account_id, source_id=source.id, bytes_total=bytes_total, started_at=now, updated_at=now
    )
    session.add(upload)
    await session.flush()
    return upload


async def take_csv(
    db: Database, upload: StockUpload, chunks: AsyncIterable[bytes], *, reroute_delay_seconds: float
) -> StockUpload:
    """Stores the file page by page, a transaction each; `row` in an error counts the data rows from 0.

    Raises `CsvUnreadable`; pages before the unreadable place stay, and sending the file again changes nothing twice.
    """
    file = _File(db, upload, reroute_delay_seconds)
    try:
        header: list[str] | None = None
        async for record in records_of(file.counted(chunks)):
            if header is None:
                header = _header(record)
            else:
                await file.take(header, record)
        if header is None:
            raise CsvUnreadable("the file is empty")
    except CsvUnreadable as unreadable:
        await file.end("refused", unreadable.detail)
        raise
    except ClientDisconnect:
        await file.end("broken", BROKE_OFF)
        raise CsvUnreadable(BROKE_OFF, fix="Send it again: what is stored already changes nothing twice") from None
    except BaseException:
        # The database is away, or we are being stopped; what is stored stays.
        await asyncio.shield(file.end("broken", BROKE_OFF))
        raise
    await file.end("stored")
    return upload


class _File:
    """A file on its way into the database: one page in memory, its progress in the upload's row."""

    def __init__(self, db: Database, upload: StockUpload, reroute_delay_seconds: float) -> None:
        self._db = db
        self._upload = upload
        self._delay = reroute_delay_seconds
        self._page: list[tuple[int, Mapping[str, Any]]] = []
        self._position = 0

    async def counted(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._upload.bytes_read += len(chunk)
            yield chunk

    async def take(self, header: Sequence[str], record: Sequence[str]) -> None:
        if len(record) == len(header):
            self._page.append((self._position, _row(header, record)))
        else:
            self._upload.failed += 1
            self._note([_wrong_width(self._position, header, record)])
        self._position += 1
        if len(self._page) == PAGE:
            await self._store()

    async def end(self, status: str, problem: str | None = None) -> None:
        """Stores the last page, unless the file is no good, and says how it ended."""
        if status != "stored":
            self._page.clear()
        self._upload.status, self._upload.problem = status, problem
        await self._store()

    async def _store(self) -> None:
        upload = self._upload
        async with self._db.transaction() as session:
            done = await take_page(
                session, upload.account_id, upload.source_id, self._page, reroute_delay_seconds=self._delay
            )
            upload.created += done.created
            upload.updated += done.updated
            upload.outdated += done.outdated
            upload.failed += done.failed
            self._note(done.errors)
            upload.updated_at = clock.now()
            await session.merge(upload)
        self._page.clear()

    def _note(self, errors: Sequence[RowError]) -> None:
        room = ERRORS_LISTED - len(self._upload.errors)
        noted = [*self._upload.errors, *(error.model_dump() for error in errors[:room])]
        self._upload.errors = sorted(noted, key=lambda error: int(error["row"]))


def upload_answer(upload: StockUpload) -> UploadAnswer:
    """The upload as it is shown; one of which nothing was heard for long died with its process."""
    told = upload.model_dump(exclude={"id", "account_id"})
    if upload.status == "receiving" and upload.updated_at < clock.now() - SILENT:
        told |= {"status": "broken", "problem": BROKE_OFF}
    return UploadAnswer(upload_id=upload.id, **told)


def _header(record: list[str]) -> list[str]:
    names = [name.strip().lower() for name in record]
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown or not {"sku", "quantity"} <= set(names) or len(set(names)) != len(names):
        raise CsvUnreadable(f"the header must name sku and quantity, and no other column than {', '.join(COLUMNS)}")
    return names


def _wrong_width(position: int, header: Sequence[str], record: Sequence[str]) -> RowError:
    what = f"the row has {len(record)} cells, the header {len(header)}"
    return RowError(
        row=position, sku=record[0][:200], code="wrong-width", what=what, fix="Put cells that hold commas in quotes"
    )


def _row(header: Sequence[str], record: Sequence[str]) -> Mapping[str, Any]:
    """The row in the shape of the JSON page; an empty cell is a field that was not given."""
    cells = {name: cell for name, cell in zip(header, record, strict=True) if cell}
    cost = {
        name: cells.pop(source) for name, source in (("amount", "cost"), ("currency", "currency")) if source in cells
    }
    return cells | ({"cost": cost} if cost else {})


async def records_of(chunks: AsyncIterable[bytes]) -> AsyncIterator[list[str]]:
    """CSV records out of bytes as they arrive; a quoted cell may hold line ends. Raises `CsvUnreadable`."""
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
