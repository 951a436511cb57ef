"""A PDF's text, taken out by a process that cannot harm this one; files that are no readable PDF are refused."""

import asyncio
import sys
from collections.abc import AsyncIterable
from pathlib import Path
from typing import ClassVar

import msgspec

from common.errors import InvalidRequest, Problem, TooManyRequests
from compliance_service.slips.rules import SlipText

LARGEST_BYTES = 5 * 2**20
_CHILD = Path(__file__).with_name("child.py")
_LONGEST_SECONDS = 20.0
_AT_ONCE = 2
# Readers look for the header in the first kilobyte (ISO 32000, implementation notes).
_HEADER, _HEADER_WITHIN = b"%PDF-", 1024


class NotPdf(InvalidRequest):
    slug, title = "not-pdf", "The slip is no PDF"
    fix = "Send the PDF itself as the body, with `Content-Type: application/pdf`"


class SlipTooLarge(Problem):
    status: ClassVar[int] = 413
    slug, title = "slip-too-large", "The slip is larger than a packing slip can be"
    fix = f"Send one slip of at most {LARGEST_BYTES // 2**20} MiB"


class PdfEncrypted(InvalidRequest):
    slug, title = "pdf-encrypted", "The PDF is encrypted"
    fix = "Send it without a password and without restrictions"


class PdfUnreadable(InvalidRequest):
    slug, title = "pdf-unreadable", "The PDF is damaged"
    fix = "Make it anew: it must open in any PDF reader without a repair"


class PdfTooComplex(InvalidRequest):
    slug, title = "pdf-too-complex", "The PDF takes more pages, memory or time than a packing slip can"
    fix = "Send one slip by itself"


class PdfWithoutText(InvalidRequest):
    slug, title = "pdf-without-text", "There is no text in the PDF: pictures cannot be checked"
    fix = "Send the PDF that was printed, not a scan of it"


class CheckerBusy(TooManyRequests):
    slug, title = "slip-checker-busy", "Too many slips are being checked"
    fix = "Try again; nothing was changed"


_REFUSALS: dict[str, type[Problem]] = {
    "encrypted": PdfEncrypted,
    "too_complex": PdfTooComplex,
    "unreadable": PdfUnreadable,
}
_children = asyncio.Semaphore(_AT_ONCE)


class _Refusal(msgspec.Struct):
    refused: str
    detail: str


_answer = msgspec.json.Decoder(SlipText)
_refusal = msgspec.json.Decoder(_Refusal)


async def receive(media_type: str, chunks: AsyncIterable[bytes]) -> bytes:
    """The body, as far as it may be a slip. Raises `NotPdf`, `SlipTooLarge`."""
    if media_type.partition(";")[0].strip().lower() != "application/pdf":
        raise NotPdf("the body is not declared as application/pdf")
    document = bytearray()
    async for chunk in chunks:
        document += chunk
        if len(document) > LARGEST_BYTES:
            raise SlipTooLarge
    if _HEADER not in document[:_HEADER_WITHIN]:
        raise NotPdf("the body does not begin as a PDF does")
    return bytes(document)


async def extract(document: bytes) -> SlipText:
    """What stands on the slip.

    Raises `PdfEncrypted`, `PdfUnreadable`, `PdfTooComplex`, `PdfWithoutText`, `CheckerBusy`.
    """
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            await _children.acquire()
    except TimeoutError:
        raise CheckerBusy(headers={"Retry-After": "5"}) from None
    try:
        told = await _run(document)
    finally:
        _children.release()
    try:
        slip = _answer.decode(told)
    except msgspec.ValidationError:
        refusal = _refusal.decode(told)
        raise _REFUSALS[refusal.refused](refusal.detail) from None
    if not slip.text.strip():
        raise PdfWithoutText
    return slip


async def _run(document: bytes) -> bytes:
    """The child's answer. Raises `PdfTooComplex` when it had to be ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(_CHILD)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # warnings quote the file
        env={},
    )
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            told, _ = await process.communicate(document)
    except TimeoutError:
        raise PdfTooComplex("it takes too long to read") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise PdfTooComplex("it takes more memory or time to read than a slip can")
    return told
