"""Source inventory as CSV, read while it arrives: memory holds one page, whatever the file's size.

Each page is stored in the transaction that notes how far the file has come, so anybody can watch."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import ClientDisconnect

from common import clock
from common.csv_rows import CsvFault, CsvRow, UnreadableCsv, ambiguous_number, decimal_text, read_csv
from common.db import Database
from compliance_service.models import Source, StockUpload
from compliance_service.schemas import RowErrorAnswer, UploadAnswer
from compliance_service.stocking import take_page

PAGE = 2000
ERRORS_LISTED = 1000
SILENT = timedelta(minutes=10)
BROKE_OFF = "the file did not come to its end"
COLUMNS = ("sku", "quantity", "cost", "currency", "as_of")
REQUIRED = ("sku", "quantity")


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
    """Stores the file page by page, a transaction each. Sending it again changes nothing twice.

    Raises `UnreadableCsv` for a file without our header, or one that breaks off; what was stored before stays.
    """
    file = _File(db, upload, reroute_delay_seconds)
    try:
        async for record in read_csv(file.counted(chunks), required=REQUIRED, known=COLUMNS):
            await file.take(record)
    except UnreadableCsv as unreadable:
        await file.end("refused", unreadable.detail)
        raise
    except ClientDisconnect:
        await file.end("broken", BROKE_OFF)
        raise UnreadableCsv(BROKE_OFF, fix="Send it again: what is stored already changes nothing twice") from None
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
        self._lines: dict[int, int] = {}

    async def counted(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._upload.bytes_read += len(chunk)
            yield chunk

    async def take(self, record: CsvRow | CsvFault) -> None:
        row = _row(record) if isinstance(record, CsvRow) else record
        if isinstance(row, CsvFault):
            self._upload.failed += 1
            self._note([_fault(row)])
        else:
            self._page.append((record.row, row))
            self._lines[record.row] = record.line
        if len(self._page) == PAGE:
            await self._store()

    async def end(self, status: str, problem: str | None = None) -> None:
        """Stores the last page, unless the file is no good, and says how it ended."""
        if status != "stored":
            self._page.clear()
            self._lines.clear()
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
            self._note([error.model_copy(update={"line": self._lines[error.row]}) for error in done.errors])
            upload.updated_at = clock.now()
            await session.merge(upload)
        self._page.clear()
        self._lines.clear()

    def _note(self, errors: Sequence[RowErrorAnswer]) -> None:
        room = ERRORS_LISTED - len(self._upload.errors)
        noted = [*self._upload.errors, *(error.model_dump() for error in errors[:room])]
        self._upload.errors = sorted(noted, key=lambda error: int(error["row"]))


def upload_answer(upload: StockUpload) -> UploadAnswer:
    """The upload as it is shown; one of which nothing was heard for long died with its process."""
    told = upload.model_dump(exclude={"id", "account_id"})
    if upload.status == "receiving" and upload.updated_at < clock.now() - SILENT:
        told |= {"status": "broken", "problem": BROKE_OFF}
    return UploadAnswer(upload_id=upload.id, **told)


def _fault(fault: CsvFault) -> RowErrorAnswer:
    sku = fault.cells.get("sku", "")[:200]
    return RowErrorAnswer(
        row=fault.row, line=fault.line, sku=sku or None, code=fault.code, detail=fault.what, fix=fault.fix
    )


def _row(record: CsvRow) -> Mapping[str, Any] | CsvFault:
    """The row in the shape of the JSON page; an empty cell is a field that was not given."""
    cells = {name: cell for name, cell in record.cells.items() if cell}
    cost: dict[str, str] = {}
    if "cost" in cells:
        amount = decimal_text(cells.pop("cost"))
        if amount is None:
            return ambiguous_number(record, "cost")
        cost["amount"] = amount
    if "currency" in cells:
        cost["currency"] = cells.pop("currency")
    return cells | ({"cost": cost} if cost else {})
