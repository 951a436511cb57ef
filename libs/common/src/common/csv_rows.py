"""The one reader of CSV files that others send, record by record while they arrive: each is a row or a fault with its
line, none vanishes, and memory holds one record.

People's files are not RFC 4180: inch marks stand in cells, Excel writes semicolons, tabs or UTF-16, numbers commas.
What can be meant in one way only is read; the rest is reported, and the next line is read for itself.
"""

import codecs
import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field

from common.errors import InvalidRequest

LONGEST_RECORD = 64 * 1024

_DELIMITERS = ",;\t|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# LF, CR LF or CR; a CR at the very end may be half of a CR LF. Not `splitlines()`: a SKU may hold characters
# that Unicode counts as line ends.
_LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")
_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's own first line
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d{1,2}")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?P<group>[.,])\d{3})(?:(?P=group)\d{3})*(?P<point>[.,])\d+")
_DAMAGED = "\ufffd"


class UnreadableCsv(InvalidRequest):
    slug, title = "csv-unreadable", "The file is not the CSV we expect"
    fix = "Send CSV (UTF-8 or UTF-16) whose first line names the columns"


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One record below the header: its number from 0, the file's line it begins at (from 1), its cells by column."""

    row: int
    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CsvFault:
    """A record that could not be read: what is wrong and how to mend it. `cells` holds what could be told apart."""

    row: int
    line: int
    code: str
    what: str
    fix: str
    cells: Mapping[str, str] = field(default_factory=dict)


async def read_csv(
    chunks: AsyncIterable[bytes], *, required: Collection[str], known: Collection[str] | None = None
) -> AsyncIterator[CsvRow | CsvFault]:
    """The records of a file. Column names are compared without case and outer spaces; blank records count as none.

    `known` are the columns that a file may have (None: others are passed by). Raises `UnreadableCsv`, before the first
    record, when the file is empty or its header does not name what it must.
    """
    header: list[str] = []
    row = 0
    async for record in _records(chunks, {*required, *(known or ())}):
        if not header:
            header = _header(record, required, known)
            continue
        yield _read(row, record, header)
        row += 1
    if not header:
        raise UnreadableCsv("the file is empty")


async def _records(chunks: AsyncIterable[bytes], names: set[str]) -> AsyncIterator["_Record"]:
    cutter = _Records(names)
    async for line in _lines(chunks):
        for record in cutter.take(line):
            yield record
    for record in cutter.finish():
        yield record


def decimal_text(cell: str) -> str | None:
    """A number as a person wrote it, with a decimal point: `19,99` and `1.234,50` are read; None for what can be meant
    in two ways (`1,234`)."""
    text = cell.strip()
    if "," not in text:
        return text
    if _DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    grouped = _GROUPED.fullmatch(text)
    if grouped is None or grouped["point"] == grouped["group"]:
        return None
    whole, _, fraction = text.rpartition(grouped["point"])
    return f"{whole.replace(grouped['group'], '')}.{fraction}"


def ambiguous_number(record: CsvRow, column: str) -> CsvFault:
    """The fault of a row whose number `decimal_text` could not tell."""
    what = f"{column}: the number can be read in two ways"
    return CsvFault(record.row, record.line, "ambiguous-number", what, "Write 1234.50 or 1234,50", record.cells)


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str
    what: str
    fix: str


_UNCLOSED = _Fault(
    "quote-not-closed", "a quote is opened and not closed", "Close it, or double a quote that is part of the text"
)
_NO_TEXT = _Fault("not-text", "it holds bytes that are no text in the file's encoding", "Save the file as UTF-8")
_TOO_LONG = _Fault("record-too-long", f"it is longer than {LONGEST_RECORD} characters", "Shorten it")


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    cells: list[str]
    fault: _Fault | None = None


def _header(record: _Record, required: Collection[str], known: Collection[str] | None) -> list[str]:
    if record.fault is not None:
        raise UnreadableCsv(f"the header cannot be read: {record.fault.what}", fix=record.fault.fix)
    names = [name.strip().lower() for name in record.cells]
    if missing := sorted(set(required) - set(names)):
        raise UnreadableCsv(f"the header lacks {', '.join(missing)}")
    given = [name for name in names if name]
    if len(set(given)) < len(given):
        raise UnreadableCsv("the header names a column twice")
    if known is not None and (unknown := sorted(set(given) - set(known))):
        errors = [
            {"where": "body.header", "detail": f"no column {name[:100]!r}", "rule": "unknown"} for name in unknown
        ]
        raise UnreadableCsv(f"the header may name {', '.join(known)} only", errors=errors[:20])
    return names


def _read(row: int, record: _Record, header: list[str]) -> CsvRow | CsvFault:
    cells = record.cells
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    named = {name: cell for name, cell in zip(header, cells, strict=False) if name}
    fault = record.fault
    if fault is None and len(cells) != len(header):
        what = f"the row has {len(cells)} cells, the header {len(header)}"
        fault = _Fault("wrong-width", what, "Put cells that hold the separator in quotes; leave no cell out")
    if fault is not None:
        return CsvFault(row, record.line, fault.code, fault.what, fault.fix, named)
    return CsvRow(row, record.line, named)


class _Records:
    """Cuts lines into records. A quoted cell may hold line ends; a quote that never closes costs its own line only."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._delimiter = ""
        self._held: list[str] = []  # the lines of a record that is not whole yet
        self._cells = _Cells("")
        self._number = 1  # of the first line that is held, or that comes next

    def take(self, line: str) -> list[_Record]:
        """The records that are whole now."""
        return self._drain(deque([line]))

    def finish(self) -> list[_Record]:
        """What is left when no line comes any more."""
        done: list[_Record] = []
        while self._held:
            done += self._drain(self._give_up(done))
        return done

    def _drain(self, lines: deque[str]) -> list[_Record]:
        done: list[_Record] = []
        while lines:
            line = lines.popleft()
            if not self._held and not self._begin(line):
                continue
            self._held.append(line)
            self._cells.take(line)
            if not self._cells.open and (self._cells.tidy or len(self._held) == 1):
                self._end(done)
            elif not self._cells.tidy or self._cells.length > LONGEST_RECORD:
                lines.extendleft(reversed(self._give_up(done)))
        return done

    def _begin(self, line: str) -> bool:
        """Whether a record begins here, and not Excel's `sep=;`."""
        if not self._delimiter:
            if said := _SEPARATOR.fullmatch(line):
                self._delimiter = said[1]
                self._number += 1
                return False
            self._delimiter = max(_DELIMITERS, key=lambda one: len(self._names & _names_in(line, one)))
        self._cells = _Cells(self._delimiter)
        return True

    def _end(self, done: list[_Record]) -> None:
        cells = self._cells.cells
        if any(cells):
            fault = _NO_TEXT if any(_DAMAGED in cell for cell in cells) else None
            fault = _TOO_LONG if self._cells.length > LONGEST_RECORD else fault
            done.append(_Record(self._number, cells, fault))
        self._number += len(self._held)
        self._held = []

    def _give_up(self, done: list[_Record]) -> deque[str]:
        """The quote closes nowhere, or where none may: its line is reported, those behind it are to be read anew."""
        line, *behind = self._held
        bare = _Cells(self._delimiter)
        bare.take(line.replace('"', ""))
        done.append(_Record(self._number, bare.cells, _UNCLOSED))
        self._number += 1
        self._held = []
        return deque(behind)


def _names_in(line: str, delimiter: str) -> set[str]:
    cells = _Cells(delimiter)
    cells.take(line)
    return {cell.strip().lower() for cell in cells.cells}


class _Cells:
    """The cells of one record, line by line. `open`: a quoted cell goes on; `tidy`: each quote stood where one may."""

    __slots__ = ("_delimiter", "_parts", "cells", "length", "open", "tidy")

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._parts: list[str] = []
        self.cells: list[str] = []
        self.length = 0
        self.open = False
        self.tidy = True

    def take(self, line: str) -> None:
        self.length += len(line)
        end = len(line.rstrip("\r\n"))
        position = 0
        if not self.open and line.startswith('"'):
            self.open, position = True, 1
        quoted = self.open
        while True:
            if quoted:
                position = self._quoted(line, position, end)
            else:
                stop = line.find(self._delimiter, position, end)
                stop = end if stop < 0 else stop
                self.cells.append(line[position:stop])
                position = stop
            if position >= end:
                return
            position += 1  # the separator; a cell follows, be it empty
            quoted = line.startswith('"', position, end)
            position += quoted

    def _quoted(self, line: str, position: int, end: int) -> int:
        """Goes on in a quoted cell; answers where it closed. A quote that no separator follows is an inch mark."""
        self.open = True
        while (quote := line.find('"', position)) >= 0:
            self._parts.append(line[position:quote])
            position = quote + 1
            if line.startswith('"', position):
                self._parts.append('"')
                position += 1
            elif position >= end or line[position] == self._delimiter:
                self.open = False
                self.cells.append("".join(self._parts))
                self._parts = []
                return position
            else:
                self._parts.append('"')
                self.tidy = False
        self._parts.append(line[position:])
        return end


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The file's lines with their ends. One beyond every measure is cut, and so is no text any more."""
    decoder: codecs.IncrementalDecoder | None = None
    head, text, skipping = b"", "", False
    async for chunk in chunks:
        if decoder is None:
            head += chunk
            if len(head) < _ENOUGH_TO_TELL:
                continue
            decoder, chunk = _decoder(head), head
        text += decoder.decode(chunk)
        done = 0
        for end in _LINE_END.finditer(text):
            if not skipping:
                yield text[done : end.end()]
            done, skipping = end.end(), False
        text = text[done:]
        if len(text) > 2 * LONGEST_RECORD:
            if not skipping:
                yield text[: LONGEST_RECORD + 1] + "\n"
            text, skipping = "", True
    if decoder is None:
        decoder = _decoder(head)
        text = decoder.decode(head)
    text += decoder.decode(b"", final=True) + "\n"
    done = 0
    for end in _LINE_END.finditer(text):
        if not skipping:
            yield text[done : end.end()]
        done, skipping = end.end(), False


_ENOUGH_TO_TELL = 4


def _decoder(head: bytes) -> codecs.IncrementalDecoder:
    """By the byte order mark, or by the zero bytes that UTF-16 has beside every letter of a header."""
    name = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    if name is None:
        name = "utf-16-le" if head[1:4:2] == b"\0\0" else "utf-16-be" if head[0:4:2] == b"\0\0" else "utf-8"
    return codecs.getincrementaldecoder(name)(errors="replace")
