"""The documents of all sellers: bytes that were uploaded or made, or rows that are rendered when somebody asks."""

import asyncio
import gzip
import secrets
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Protocol
from uuid import uuid4

import msgspec

from amazon_sandbox.clock import DAY_MS
from amazon_sandbox.marketplaces import RegionCode

FEED_DOCUMENT_LIFE_MS = 28 * DAY_MS  # FACTS 6.4
REPORT_DOCUMENT_LIFE_MS = 90 * DAY_MS

_GZIP = 16 + zlib.MAX_WBITS


class Rows(Protocol):
    """What a big document is made of: immutable, and rendered piece by piece."""

    def pieces(self) -> Iterator[bytes]:
        """The content in order, in pieces of some 100 kB."""
        ...


class Document(msgspec.Struct, eq=False):
    """`content` is as stored, gzipped if `gzipped`; None when nothing was uploaded or `rows` are not rendered yet."""

    document_id: str
    region: RegionCode
    selling_partner_id: str
    content_type: str
    created_ms: int
    expires_ms: int
    is_input: bool = False
    gzipped: bool = False
    content: bytes | None = None
    rows: Rows | None = None
    uploads: int = 0
    downloads: int = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """The stored bytes piece by piece, rendered on the way the first time; other requests come in between."""
        if self.rows is None:
            yield self.content or b""
            return
        packer = zlib.compressobj(wbits=_GZIP)
        parts: list[bytes] = []
        for piece in self.rows.pieces():
            part = packer.compress(piece) if self.gzipped else piece
            parts.append(part)
            if part:
                yield part
            await asyncio.sleep(0)
        if self.gzipped:
            parts.append(packer.flush())
            yield parts[-1]
        self.content, self.rows = b"".join(parts), None


class Documents:
    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}

    def add(self, document: Document, now_ms: int) -> None:
        for outlived in [each for each in self.documents.values() if each.expires_ms <= now_ms]:
            del self.documents[outlived.document_id]
        self.documents[document.document_id] = document

    def find(self, document_id: str, now_ms: int) -> Document | None:
        document = self.documents.get(document_id)
        return document if document is not None and now_ms < document.expires_ms else None


def awaited_document(owner: tuple[RegionCode, str], content_type: str, now_ms: int) -> Document:
    """One that waits for its upload."""
    expires_ms = now_ms + FEED_DOCUMENT_LIFE_MS
    return Document(_document_id(owner[0]), *owner, content_type, now_ms, expires_ms, is_input=True)


def made_document(
    owner: tuple[RegionCode, str],
    content_type: str,
    now_ms: int,
    *,
    compressed: bool,
    content: bytes | None = None,
    rows: Rows | None = None,
    life_ms: int = FEED_DOCUMENT_LIFE_MS,
) -> Document:
    """One that Amazon made, of `content` as it reads or of `rows`."""
    if content is not None and compressed:
        content = gzip.compress(content, mtime=0)
    document_id = _document_id(owner[0])
    expires_ms = now_ms + life_ms
    return Document(
        document_id, *owner, content_type, now_ms, expires_ms, gzipped=compressed, content=content, rows=rows
    )


def _document_id(region: RegionCode) -> str:
    return f"amzn1.tortuga.4.{region.lower()}.{uuid4()}.T{secrets.token_hex(7).upper()}"
