"""Pure: which fulfillment request a parcel answers, told by what it carries (MISSION C7)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from orders_service.models import FulfillmentRequest


class Booked(NamedTuple):
    """The request that a parcel answers; `source_id` is of whom it is known to have left."""

    request: FulfillmentRequest | None
    source_id: UUID | None


def units_of(lines: Iterable[dict[str, Any]]) -> Counter[str]:
    """Units per order item."""
    units = Counter[str]()
    for line in lines:
        units[line["order_item_id"]] += line["quantity"]
    return units


def open_units(request: FulfillmentRequest, shipped: Counter[str]) -> Counter[str]:
    """Units per order item that the request's source still has to ship; `shipped` are those that its parcels took."""
    cancelled = Counter({line["order_item_id"]: line.get("cancelled", 0) for line in request.lines})
    return units_of(request.lines) - cancelled - shipped


def book(
    parcel: Counter[str],
    source_id: UUID | None,
    open_requests: Sequence[FulfillmentRequest],
    shipped: dict[UUID, Counter[str]],
) -> Booked:
    """The request whose open units are the parcel's, else that holds them all, else most of them; of equals the oldest.

    Of another source's requests none answers. A parcel that names no source left that of a request that holds it all.
    """
    asked = [
        (request, open_units(request, shipped.get(request.id, Counter())))
        for request in open_requests
        if source_id in (None, request.source_id) and units_of(request.lines) & parcel
    ]
    if not asked:
        return Booked(None, source_id)
    request, still_open = min(
        asked,
        key=lambda one: (
            one[1] != parcel,
            not parcel <= one[1],
            -(one[1] & parcel).total(),
            one[0].decision_version,
            one[0].source_id.int,
        ),
    )
    return Booked(request, source_id or (request.source_id if parcel <= still_open else None))
