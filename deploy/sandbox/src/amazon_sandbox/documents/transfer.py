"""PUT and GET of a presigned URL. The two are operations of their own for faults and books."""

from functools import partial
from typing import NamedTuple

from amazon_sandbox.documents import presigned
from amazon_sandbox.documents.presigned import Refused
from amazon_sandbox.documents.store import Document
from amazon_sandbox.wire import Answer
from amazon_sandbox.world import World

UPLOAD = "uploadDocument"
DOWNLOAD = "downloadDocument"
OPERATIONS = (UPLOAD, DOWNLOAD)


class Transfer(NamedTuple):
    operation: str
    method: str
    document_id: str
    query_string: str
    content_type: str
    body: bytes


def transfer_of(method: str, raw_path: bytes, query_string: bytes, content_type: bytes, body: bytes) -> Transfer:
    document_id = raw_path.decode("latin-1").removeprefix(presigned.PATH)
    operation = UPLOAD if method == "PUT" else DOWNLOAD
    return Transfer(
        operation, method, document_id, query_string.decode("latin-1"), content_type.decode("latin-1"), body
    )


def owner_of(world: World, transfer: Transfer) -> str:
    """The seller whose document it is, so that a fault can be meant for one seller; or the empty string."""
    document = world.documents.documents.get(transfer.document_id)
    return document.selling_partner_id if document is not None else ""


def perform(world: World, transfer: Transfer) -> Answer:
    """200, or a refusal in S3's shape."""
    now_ms = world.clock.now_ms()
    try:
        if transfer.method not in ("PUT", "GET"):
            raise Refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        grant = presigned.read(
            transfer.method, transfer.document_id, transfer.query_string, transfer.content_type, now_ms
        )
        document = world.documents.find(transfer.document_id, now_ms)
        if document is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        if transfer.method == "PUT":
            return Answer(200, effect=partial(_store, document, transfer.body))
        if document.content is None and document.rows is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
    except Refused as refused:
        return refused.answer()
    encoding = grant.content_encoding.encode()
    return Answer(
        200,
        document.content or b"",
        content_type=document.content_type.encode(),
        headers=((b"content-encoding", encoding),) if encoding else (),
        effect=partial(_count, document),
        pieces=document.pieces() if document.rows is not None else None,
    )


def _store(document: Document, content: bytes) -> None:
    document.content = content
    document.uploads += 1


def _count(document: Document) -> None:
    document.downloads += 1
