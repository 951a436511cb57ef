"""Presigned URLs: whoever holds one may upload or download one document for five minutes, without a token."""

import hashlib
import secrets
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode

from amazon_sandbox import page_tokens
from amazon_sandbox.clock import SECOND_MS, iso
from amazon_sandbox.documents.store import Document
from amazon_sandbox.wire import Answer

PATH = "/documents/"
LIFE_S = 300


class Refused(Exception):
    """As S3 says it: an `<Error>` document."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message

    def answer(self) -> Answer:
        error = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        document = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
        return Answer(self.status, document.encode(), content_type=b"application/xml")


class Grant(NamedTuple):
    """What the URL allows. `content_encoding` is the header the download will carry, or the empty string."""

    method: str
    document_id: str
    issued_ms: int
    content_encoding: str
    content_type: str

    def signature(self) -> str:
        signed = "\n".join((self.method, self.document_id, str(self.issued_ms), *self[3:]))
        return hashlib.blake2b(signed.encode(), key=page_tokens.key(), digest_size=32).hexdigest()


def upload_url(base_url: str, document: Document, now_ms: int) -> str:
    """For a PUT with the content type the document was created with (FACTS 6)."""
    return _url(base_url, Grant("PUT", document.document_id, now_ms, "", document.content_type))


def download_url(base_url: str, document: Document, now_ms: int, content_encoding_header: bool) -> str:
    """`content_encoding_header`: a gzipped document then arrives with `Content-Encoding: gzip` (FACTS 6.1)."""
    encoding = "gzip" if content_encoding_header and document.gzipped else ""
    return _url(base_url, Grant("GET", document.document_id, now_ms, encoding, ""))


def read(method: str, document_id: str, query_string: str, content_type: str, now_ms: int) -> Grant:
    """The grant of a request. Raises Refused 403: another method, another content type, tampered with, or too late."""
    query = {name: values[0] for name, values in parse_qs(query_string).items()}
    issued = query.get("X-Amz-Date", "")
    if not (issued.isascii() and issued.isdigit() and len(issued) < 16):
        raise Refused(403, "AccessDenied", "Access Denied")
    encoding = query.get("response-content-encoding", "")
    grant = Grant(method, document_id, int(issued), encoding, content_type if method == "PUT" else "")
    if not secrets.compare_digest(query.get("X-Amz-Signature", "").encode(), grant.signature().encode()):
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )
    if now_ms > grant.issued_ms + LIFE_S * SECOND_MS:
        raise Refused(403, "AccessDenied", f"Request has expired: it was issued at {iso(grant.issued_ms)}")
    return grant


def _url(base_url: str, grant: Grant) -> str:
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": str(grant.issued_ms),
        "X-Amz-Expires": str(LIFE_S),
        "X-Amz-SignedHeaders": "content-type;host" if grant.method == "PUT" else "host",
        **({"response-content-encoding": grant.content_encoding} if grant.content_encoding else {}),
        "X-Amz-Signature": grant.signature(),
    }
    return f"{base_url}{PATH}{grant.document_id}?{urlencode(query)}"
