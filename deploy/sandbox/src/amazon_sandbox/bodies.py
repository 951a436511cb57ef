"""What a body has to be before anybody reads it: JSON, and not too big, where Amazon's models say so (FACTS 3.8)."""

from amazon_sandbox.requests import Request
from amazon_sandbox.wire import JSON, error_of

MOST_BYTES = 10 * 2**20  # Amazon names no limit; this is the one of feeds (FACTS 6.5)

# Operations with a body whose models do not declare the status.
WITHOUT_415 = {"confirmShipment", "createInventoryItem", "addInventory"}
WITHOUT_413 = WITHOUT_415 | {"createFeed", "createReport", "createReportSchedule", "createRestrictedDataToken"}


def refuse_unfit_body(operation: str, request: Request) -> None:
    """Raises SpApiError 413 or 415. A body whose Content-Type is not said at all is taken for JSON."""
    if not request.body or request.method not in ("POST", "PUT", "PATCH"):
        return
    if len(request.body) > MOST_BYTES and operation not in WITHOUT_413:
        raise error_of(413)
    content_type = request.headers.get(b"content-type", JSON)
    if content_type.partition(b";")[0].strip().lower() != JSON and operation not in WITHOUT_415:
        raise error_of(415, content_type.decode("latin-1"))
