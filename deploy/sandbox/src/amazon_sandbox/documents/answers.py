"""getFeedDocument and getReportDocument: where a document can be downloaded."""

from amazon_sandbox.calls import Call
from amazon_sandbox.documents.presigned import download_url
from amazon_sandbox.documents.store import Document
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer


def document_of(call: Call, document_id: str) -> Document | None:
    """The caller's own document, or None."""
    document = call.world.documents.find(document_id, call.world.clock.now_ms())
    owner = (call.seller.region, call.seller.selling_partner_id)
    return document if document is not None and (document.region, document.selling_partner_id) == owner else None


def document_answer(call: Call, id_name: str) -> Answer:
    """`{id_name, "url", "compressionAlgorithm"?}`; `enableContentEncodingUrlHeader` as in FACTS 6.1."""
    wish = call.one("enableContentEncodingUrlHeader")
    if wish is not None and wish.lower() not in ("true", "false"):
        raise invalid_input("enableContentEncodingUrlHeader is true or false.")
    document = document_of(call, call.arguments[0])
    if document is None:
        raise SpApiError(404, "NotFound", "The document was not found.", call.arguments[0])
    url = download_url(
        call.request.base_url, document, call.world.clock.now_ms(), wish is not None and wish.lower() == "true"
    )
    answer = {id_name: document.document_id, "url": url}
    if document.gzipped:
        answer["compressionAlgorithm"] = "GZIP"
    return json_answer(answer)
