"""Takes a PDF apart in a process of its own: `python child.py < slip.pdf` writes one JSON document.

Whatever a hostile file does ends here: memory, processor time and files are limited, the environment is empty, and
nothing but the text leaves. It imports nothing of the service, so that it starts quickly and knows no secret.
"""

import contextlib
import json
import resource
import sys
from io import BytesIO
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

MEMORY_BYTES = 768 * 2**20
PROCESSOR_SECONDS = 4
MOST_PAGES = 50
MOST_CHARACTERS = 500_000
# A page of a slip unpacks to some ten kilobytes; pypdf takes seconds for each of these.
MOST_CONTENT_BYTES = 2 * 2**20


class TooMuch(Exception):
    """A limit of ours was reached; its text says which."""


def main() -> None:
    # SIGXCPU ends the process when the soft limit is reached; nothing can be written, the answer goes into a pipe.
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = read(sys.stdin.buffer.read())
    except (LimitReachedError, TooMuch, MemoryError, RecursionError) as error:
        detail = str(error) if isinstance(error, TooMuch) else "it unpacks to more than a slip can hold"
        answer = {"refused": "too_complex", "detail": detail}
    except Exception as error:
        # The name of the error only: its text may quote what stands in the file.
        answer = {"refused": "unreadable", "detail": type(error).__name__}
    sys.stdout.write(json.dumps(answer))


def read(document: bytes) -> dict[str, Any]:
    """{pages, text, rows, links, pictures}, or {refused, detail}. `rows` is the text as it lies on the paper."""
    reader = PdfReader(BytesIO(document))
    if reader.is_encrypted:
        return {"refused": "encrypted", "detail": "the file is encrypted"}
    if len(reader.pages) > MOST_PAGES:
        raise TooMuch(f"it has more than {MOST_PAGES} pages")
    texts: list[str] = []
    rows: list[str] = []
    links: list[str] = []
    pictures = 0
    for page in reader.pages:
        contents = page.get_contents()
        if contents is not None and len(contents.get_data()) > MOST_CONTENT_BYTES:
            raise TooMuch("a page unpacks to more than a slip can hold")
        texts.append(page.extract_text())
        rows.append(_rows(page))
        links += _links(page)
        pictures += _pictures(page)
        if sum(map(len, texts)) + sum(map(len, rows)) > MOST_CHARACTERS:
            raise TooMuch(f"it has more than {MOST_CHARACTERS} characters")
    return {
        "pages": len(texts),
        "text": "\n".join(texts),
        "rows": "\n".join(rows),
        "links": links,
        "pictures": pictures,
    }


def _rows(page: PageObject) -> str:
    with contextlib.suppress(PyPdfError, ValueError, KeyError, ZeroDivisionError, AttributeError, TypeError):
        return page.extract_text(extraction_mode="layout", layout_mode_space_vertically=False)
    return ""


def _links(page: PageObject) -> list[str]:
    """The addresses that a click on the page would open."""
    found = []
    for reference in page.get("/Annots") or ():
        action = reference.get_object().get("/A")
        uri = action.get_object().get("/URI") if action is not None else None
        if uri is not None:
            found.append(str(uri))
    return found


def _pictures(page: PageObject) -> int:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    if objects is None:
        return 0
    return sum(one.get_object().get("/Subtype") == "/Image" for one in objects.get_object().values())


if __name__ == "__main__":
    main()
