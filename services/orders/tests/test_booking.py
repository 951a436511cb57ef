"""Which request a parcel answers: a table of the pure rule."""

from collections import Counter
from uuid import UUID

import pytest

from common import clock
from orders_service.booking import book
from orders_service.models import FulfillmentRequest

ONE, TWO = UUID(int=1), UUID(int=2)


def request(number: int, source_id: UUID, lines: dict[str, int], cancelled: dict[str, int]) -> FulfillmentRequest:
    told = [
        {"order_item_id": item, "sku": item, "quantity": units}
        | ({"cancelled": cancelled[item]} if item in cancelled else {})
        for item, units in lines.items()
    ]
    return FulfillmentRequest(
        id=UUID(int=number),
        account_id=ONE,
        order_id=ONE,
        source_id=source_id,
        decision_version=number,
        status="released",
        lines=told,
        created_at=clock.now(),
    )


@pytest.mark.row("C7")
@pytest.mark.parametrize(
    ("parcel", "source_id", "asked", "answered", "left_from"),
    [
        ({"a": 1}, None, [(ONE, {"a": 1}, {}), (TWO, {"b": 1}, {})], 1, ONE),
        ({"b": 1}, None, [(ONE, {"a": 1}, {}), (TWO, {"b": 1}, {})], 2, TWO),
        ({"a": 2}, None, [(ONE, {"a": 3}, {}), (TWO, {"a": 2}, {})], 2, TWO),
        ({"a": 1}, None, [(ONE, {"a": 1}, {}), (TWO, {"a": 1}, {})], 1, ONE),
        ({"a": 1}, None, [(ONE, {"a": 1}, {"a": 1}), (TWO, {"a": 1}, {})], 2, TWO),
        # One parcel of what two were asked for: it answers one of them, and nobody knows from whom all of it left.
        ({"a": 1, "b": 2}, None, [(ONE, {"a": 1}, {}), (TWO, {"b": 2}, {})], 2, None),
        ({"c": 1}, None, [(ONE, {"a": 1}, {})], None, None),
        ({"b": 1}, ONE, [(ONE, {"b": 1}, {}), (ONE, {"a": 1}, {})], 1, ONE),
        ({"a": 1}, TWO, [(ONE, {"a": 1}, {})], None, TWO),
        ({"a": 2}, ONE, [(ONE, {"a": 1}, {})], 1, ONE),
        ({"a": 1}, ONE, [(ONE, {"a": 1}, {"a": 1})], 1, ONE),
    ],
)
def test_a_parcel_answers_the_request_whose_open_lines_it_carries(
    parcel: dict[str, int],
    source_id: UUID | None,
    asked: list[tuple[UUID, dict[str, int], dict[str, int]]],
    answered: int | None,
    left_from: UUID | None,
) -> None:
    requests = [request(number, *one) for number, one in enumerate(asked, 1)]
    booked = book(Counter(parcel), source_id, requests, {})
    assert (booked.request and booked.request.decision_version, booked.source_id) == (answered, left_from)


def test_what_parcels_took_of_a_request_is_not_open_any_more() -> None:
    requests = [request(1, ONE, {"a": 2}, {}), request(2, TWO, {"a": 1}, {})]
    booked = book(Counter(a=1), None, requests, {UUID(int=1): Counter(a=2)})
    assert booked.request is requests[1]
