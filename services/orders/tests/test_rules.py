"""The pure rules: carriers and methods, mappings, and what a newer answer changes."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import msgspec
import pytest

from common.amazon.order import Order
from common.contracts.orders import OrderChanged
from orders_service.carrier_names import CARRIER_NAMES
from orders_service.carriers import LONGEST, METHODS, Invalid, Sendable, check
from orders_service.mapping import ShippingMapping, bound_twice, policies_by_text
from orders_service.order_state import NotAnOrder, OrderState, Placed, event_of, merge, read_order, to_minor_units


@pytest.mark.edge(13)
@pytest.mark.parametrize(
    ("carrier", "method", "code", "suggestion"),
    [
        ("UPS", "UP Ground", "unknown_method", "UPS Ground"),
        ("UPS", "2nd day", "unknown_method", "UPS 2nd Day Air"),
        ("Fedx", "FedEx Ground", "unknown_carrier", "FedEx"),
        ("Royal Mail", "Tracked24", "unknown_method", "Royal Mail Tracked 24"),
        ("Pigeon & Sons", "by air", "unknown_carrier", None),
        ("Other", "by air", "carrier_name_required", None),
        ("Other:", "by air", "carrier_name_required", None),
        ("Other: " + "x" * 51, "", "too_long", None),
    ],
)
def test_what_must_not_be_sent_says_why_and_what_was_meant(
    carrier: str, method: str, code: str, suggestion: str | None
) -> None:
    checked = check(carrier, method, {})
    assert isinstance(checked, Invalid)
    assert (checked.code, checked.suggestion) == (code, suggestion)


@pytest.mark.fact("8.4.3")
@pytest.mark.parametrize(
    ("carrier", "method", "sent"),
    [
        ("UPS", "UPS Ground", Sendable("UPS", None, "UPS Ground")),
        ("ups", " ups  GROUND ", Sendable("UPS", None, "UPS Ground")),
        ("UPS", "Ground", Sendable("UPS", None, "UPS Ground")),
        ("UPS", "", Sendable("UPS", None, None)),
        ("Yanwen", "whatever they call it", Sendable("Yanwen", None, "whatever they call it")),
        ("Other: Bob's Vans", "by night", Sendable("Other", "Bob's Vans", "by night")),
        ("UPS", "night van", Sendable("UPS", None, "Night Van")),
    ],
)
def test_carrier_and_method_go_out_in_the_spelling_that_amazon_knows(carrier: str, method: str, sent: Sendable) -> None:
    assert check(carrier, method, {"UPS": ["Night Van"]}) == sent


def test_every_carrier_with_methods_is_one_of_amazons_and_no_method_is_too_long() -> None:
    assert METHODS.keys() <= set(CARRIER_NAMES)
    assert max(len(method) for methods in METHODS.values() for method in methods) <= LONGEST


def test_a_mapping_binds_text_and_service_level_and_a_double_one_is_found() -> None:
    rows = [ShippingMapping("Fast", "Exp US D2D Dom", "EXPEDITED"), ShippingMapping("Slow", service_level="STANDARD")]
    assert policies_by_text(rows) == {"Exp US D2D Dom": "Fast", "EXPEDITED": "Fast", "STANDARD": "Slow"}
    assert bound_twice(rows) == []
    assert bound_twice([*rows, ShippingMapping("Other", "STANDARD")]) == ["STANDARD"]


@pytest.mark.row("C11")
@pytest.mark.edge(11)
@pytest.mark.parametrize(
    ("amount", "currency", "kept"), [("9.99", "USD", "9.99"), ("1200.00", "JPY", "1200"), ("0.005", "USD", "0.01")]
)
def test_money_has_the_decimals_of_its_currency(amount: str, currency: str, kept: str) -> None:
    assert str(to_minor_units(Decimal(amount), currency)) == kept


def order(**changes: object) -> Order:
    document: dict[str, object] = {
        "orderId": "113-1",
        "createdTime": "2026-01-01T00:00:00Z",
        "lastUpdatedTime": "2026-01-02T00:00:00Z",
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "A1VC38T7YXB528"},
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"},
        "orderItems": [{"orderItemId": "1", "quantityOrdered": 2, "product": {"sellerSku": "ü/1"}}],
    }
    return msgspec.convert(document | changes, Order)


@pytest.mark.edge(9)
def test_a_line_without_money_costs_nothing_in_the_marketplaces_currency() -> None:
    state = read_order(order())
    assert (state.currency, state.lines[0].unit_price) == ("JPY", Decimal(0))


@pytest.mark.edge(28)
def test_a_status_that_nobody_knows_yet_is_kept_as_it_came() -> None:
    state = read_order(order(fulfillment={"fulfillmentStatus": "TELEPORTED", "fulfilledBy": "MERCHANT"}))
    assert state.status == "TELEPORTED"


@pytest.mark.fact("8.2.3")
@pytest.mark.parametrize(
    "lacking", [{"fulfillment": None}, {"fulfillment": {"fulfillmentStatus": "UNSHIPPED"}}, {"orderItems": []}]
)
def test_an_answer_without_status_fulfiller_or_items_is_no_order(lacking: dict[str, object]) -> None:
    with pytest.raises(NotAnOrder):
        read_order(order(**lacking))


@pytest.mark.edge(7)
def test_what_a_newer_answer_leaves_out_is_kept() -> None:
    full = msgspec.structs.replace(
        read_order(order()), ship_by=datetime(2026, 1, 3, tzinfo=UTC), region="WA", country="US", total=Decimal(9)
    )
    blank = read_order(
        order(
            fulfillment={"fulfillmentStatus": "CANCELLED", "fulfilledBy": "MERCHANT"},
            orderItems=[{"orderItemId": "1", "quantityOrdered": 0, "product": {}}],
        )
    )
    merged: OrderState = merge(full, blank)
    assert merged.status == "CANCELLED"
    assert (merged.ship_by, merged.region, merged.country, merged.total) == (full.ship_by, "WA", "US", Decimal(9))
    assert (merged.lines[0].sku, merged.lines[0].quantity, merged.lines[0].unit_price) == ("ü/1", 2, Decimal(0))
    assert merged.lines[0].cancelled


@pytest.mark.row("C4")
@pytest.mark.edge(7)
@pytest.mark.parametrize(("status", "told"), [("UNSHIPPED", []), ("PARTIALLY_SHIPPED", []), ("CANCELLED", ["ü/1"])])
def test_an_open_order_of_which_every_item_is_cancelled_has_nothing_to_route(status: str, told: list[str]) -> None:
    state = read_order(order())
    lines = tuple(line._replace(cancelled=True) for line in state.lines)
    state = msgspec.structs.replace(state, status=status, lines=lines)
    event = event_of(OrderChanged, state, Placed(uuid4(), "A1", uuid4(), "Standard", ()), 2)
    assert [line.sku for line in event.lines] == told


@pytest.mark.row("C4")
@pytest.mark.parametrize(
    ("ordered", "shipped", "left", "kept"),
    [(0, 0, 0, (0, True)), (3, 0, 0, (3, True)), (2, 0, 2, (2, False)), (3, 0, 2, (2, False)), (3, 1, 0, (1, False))],
)
def test_a_cancellation_may_be_of_some_units_of_an_item(
    ordered: int, shipped: int, left: int, kept: tuple[int, bool]
) -> None:
    item = {
        "orderItemId": "1",
        "quantityOrdered": ordered,
        "product": {},
        "fulfillment": {"quantityFulfilled": shipped, "quantityUnfulfilled": left},
        "cancellation": {"cancellationExecution": {"cancelledBy": "MERCHANT", "cancelReason": "NoInventory"}},
    }
    (line,) = read_order(order(orderItems=[item])).lines
    assert (line.quantity, line.cancelled) == kept
