"""Which SKUs of a list exist in source inventory, and at which sources (MISSION B13)."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from common.callers import Caller
from common.csv_rows import CsvFault, CsvRow, read_csv
from common.db import Database
from compliance_service.csv_text import csv_text
from compliance_service.decision_inputs import AVAILABLE
from compliance_service.schemas import LookupAnswer, SkuAtSourceAnswer, SkuFoundAnswer


async def look_up(session: AsyncSession, account_id: UUID, skus: Sequence[str]) -> LookupAnswer:
    """Which of the SKUs exist in the account's source inventory and at which sources; compared byte for byte (B13)."""
    wanted = list(dict.fromkeys(skus))
    rows = await run(
        session,
        f"select s.sku, s.source_id, o.name, s.quantity, {AVAILABLE} "  # noqa: S608 - own text
        "from source_stock s join source o on o.id = s.source_id "
        "where s.account_id = $1 and s.sku = any($2) order by o.priority, o.name",
        account_id,
        # A SKU with NUL exists nowhere, and PostgreSQL would refuse to look for it.
        [sku for sku in wanted if "\x00" not in sku],
    )
    found: dict[str, list[SkuAtSourceAnswer]] = {}
    for sku, source_id, name, quantity, available in rows:
        found.setdefault(sku, []).append(
            SkuAtSourceAnswer(source_id=source_id, source_name=name, quantity=quantity, available=available)
        )
    return LookupAnswer(
        found=[SkuFoundAnswer(sku=sku, sources=found[sku]) for sku in wanted if sku in found],
        missing=[sku for sku in wanted if sku not in found],
    )


CSV_COLUMNS = ("sku", "source_id", "source_name", "quantity", "available", "problem")
_Record = CsvRow | CsvFault
_PAGE = 1000


async def look_up_csv(db: Database, caller: Caller, chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The lines of the answer, read and sent page by page. Other columns than `sku` are passed by; a record that cannot
    be read is answered by a line whose `problem` names it.

    Raises `UnreadableCsv` for a file without the column, before anything is answered; a file that breaks later ends the
    answer with an error, so a short answer is never taken for a whole one.
    """
    records = read_csv(chunks, required=("sku",))
    first = await anext(records, None)
    return _answered(db, caller.account_id, first, records)


async def _answered(
    db: Database, account_id: UUID, first: _Record | None, records: AsyncIterator[_Record]
) -> AsyncIterator[str]:
    yield csv_text([CSV_COLUMNS])
    page = [] if first is None else [first]
    async for record in records:
        page.append(record)
        if len(page) == _PAGE:
            yield await _page_csv(db, account_id, page)
            page.clear()
    yield await _page_csv(db, account_id, page)


async def _page_csv(db: Database, account_id: UUID, page: Sequence[_Record]) -> str:
    skus = [record.cells["sku"] for record in page if isinstance(record, CsvRow)]
    async with db.transaction() as session:
        found = {found.sku: found.sources for found in (await look_up(session, account_id, skus)).found}
    lines: list[tuple[str, ...]] = []
    for record in page:
        if isinstance(record, CsvFault):
            lines.append((record.cells.get("sku", ""), "", "", "", "", f"line {record.line}: {record.what}"))
            continue
        sku = record.cells["sku"]
        at = found.get(sku, [])
        lines += [(sku, str(s.source_id), s.source_name, str(s.quantity), str(s.available), "") for s in at]
        if not at:
            lines.append((sku, "", "", "", "", ""))
    return csv_text(lines)
