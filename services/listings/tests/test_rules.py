"""The pure rules as tables: lifecycle, statements, plans and checks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import clock
from listings_service import checks, lifecycle
from listings_service.delta import Desired, Sale, Statement, left_of, state
from listings_service.lifecycle import Action, Link
from listings_service.models import Variant
from listings_service.planner import Lane, is_dirty, plan
from listings_service.testing import JP, US

T0 = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return T0 + timedelta(minutes=minutes)


def desired() -> Desired:
    return Desired(None, None, None, 0, None, None, None, 0)


@pytest.mark.parametrize(
    ("action", "moves"),
    [
        ("found", {"unlinked": "linked"}),
        ("gone", {"linked": "broken_link"}),
        ("unlink", {"linked": "unlinked", "broken_link": "unlinked"}),
        ("relink", {"unlinked": "unlinked", "broken_link": "unlinked"}),
    ],
)
def test_an_action_moves_exactly_the_links_of_the_table(action: Action, moves: dict[str, str]) -> None:
    assert {link: after for link in get_args(Link) if (after := lifecycle.after(link, action))} == moves


@pytest.mark.parametrize(
    ("buyable", "quantity", "health"),
    [(True, 5, "listed"), (False, 0, "hidden"), (False, 5, "listed"), (True, None, "listed"), (False, None, "listed")],
)
def test_hidden_is_not_buyable_with_quantity_zero(buyable: bool, quantity: int | None, health: str) -> None:
    assert lifecycle.observed_health(buyable=buyable, quantity=quantity) == health


@pytest.mark.row("B3")
def test_a_version_moves_only_when_the_value_really_changes() -> None:
    one = desired()
    assert state(one, Statement(at(0), 5, Decimal("9.99"), "USD"), [])
    assert not state(one, Statement(at(1), 5, Decimal("9.9900"), "USD"), [])
    assert (one.quantity_version, one.price_version, one.quantity_as_of) == (1, 1, at(1))
    assert state(one, Statement(at(2), quantity=0), [])
    assert (one.quantity, one.quantity_version, one.price_version) == (0, 2, 1)


def test_a_figure_is_less_the_sales_after_it() -> None:
    sales = [Sale(at(1), 2), Sale(at(5), 1)]
    assert left_of(10, at(0), sales) == 7
    assert left_of(10, at(3), sales) == 9
    assert left_of(10, at(5), sales) == 10
    assert left_of(2, at(0), sales) == 0


@given(st.permutations(range(6)))
def test_the_newest_statement_wins_in_any_order(order: list[int]) -> None:
    one = desired()
    for minutes in order:
        state(one, Statement(at(minutes), minutes, Decimal(minutes + 1), "USD"), [])
    assert (one.quantity, one.price, one.quantity_as_of) == (5, Decimal(6), at(5))


def variant(**fields: Any) -> Variant:
    usual: dict[str, Any] = {
        "account_id": uuid4(),
        "connection_id": uuid4(),
        "channel_id": uuid4(),
        "listing_id": uuid4(),
        "sku": "A",
        "created_at": T0,
        "link": "linked",
        "fulfillment_channel_code": "DEFAULT",
        "quantity": 5,
        "quantity_version": 3,
        "quantity_synced_version": 3,
        "price": Decimal(10),
        "currency": "USD",
        "price_version": 2,
        "price_synced_version": 2,
        "amazon_quantity": 5,
        "amazon_price": Decimal(10),
        "amazon_currency": "USD",
    }
    return Variant(**(usual | fields))


QUANTITY = {"quantity_version": 4, "quantity": 7}
PRICE = {"price_version": 3, "price": Decimal(11)}
OPEN = {"write_state": "accepted", "sent_quantity": 7, "sent_quantity_version": 4}


@pytest.mark.row("B3")
@pytest.mark.parametrize(
    ("fields", "quantity", "price", "lane"),
    [
        ({}, "none", "none", Lane.NOTHING),
        (QUANTITY, "send", "none", Lane.QUANTITY),
        (PRICE, "none", "send", Lane.PRICE),
        (QUANTITY | PRICE, "send", "send", Lane.QUANTITY),
        # a stop-sell goes alone: nothing about the price may hold it back
        (QUANTITY | PRICE | {"quantity": 0}, "send", "none", Lane.STOP_SELL),
        # Amazon shows it already, e.g. because it sold what we took off
        (QUANTITY | {"amazon_quantity": 7}, "settle", "none", Lane.NOTHING),
        (PRICE | {"amazon_price": Decimal("11.0000")}, "none", "settle", Lane.NOTHING),
        # what Amazon shows is not known: only a push makes it sure
        (QUANTITY | {"amazon_quantity": None}, "send", "none", Lane.QUANTITY),
        # FBA takes no quantity of ours
        (QUANTITY | PRICE | {"fulfillment_channel_code": "AMAZON_NA"}, "settle", "send", Lane.PRICE),
        # refused: not again until it changes
        (QUANTITY | {"quantity_refused_version": 4}, "none", "none", Lane.NOTHING),
        # on its way, replaced, and back to what is on its way
        (QUANTITY | OPEN, "none", "none", Lane.NOTHING),
        (QUANTITY | OPEN | {"quantity": 8, "quantity_version": 5}, "send", "none", Lane.QUANTITY),
        (QUANTITY | OPEN | {"quantity_version": 6}, "adopt", "none", Lane.NOTHING),
        (QUANTITY | OPEN | {"quantity": 5, "quantity_version": 5}, "send", "none", Lane.QUANTITY),
        # an unknown outcome is read before anything is written
        (QUANTITY | OPEN | PRICE | {"write_state": "unknown"}, "none", "none", Lane.NOTHING),
        (QUANTITY | OPEN | PRICE | {"write_state": "sending"}, "none", "none", Lane.NOTHING),
    ],
)
def test_the_plan_sends_what_differs_and_nothing_else(
    fields: dict[str, Any], quantity: str, price: str, lane: Lane
) -> None:
    made = plan(variant(**fields))
    assert (made.quantity, made.price, made.lane) == (quantity, price, lane)


def test_a_refused_part_is_no_longer_dirty() -> None:
    assert is_dirty(variant(**QUANTITY))
    assert not is_dirty(variant(**QUANTITY, quantity_refused_version=4))
    assert is_dirty(variant(**QUANTITY, **PRICE, quantity_refused_version=4))


@pytest.mark.edge(11)
@pytest.mark.parametrize(
    ("amount", "currency", "marketplace_id", "code"),
    [
        ("10.99", "USD", US, None),
        ("10.990", "USD", US, None),
        ("10.999", "USD", US, "too-many-decimals"),
        ("1000", "JPY", JP, None),
        ("1000.5", "JPY", JP, "too-many-decimals"),
        ("10", "EUR", US, "wrong-currency"),
        ("0", "USD", US, "price-out-of-range"),
        ("NaN", "USD", US, "price-out-of-range"),
        ("1e20", "USD", US, "price-out-of-range"),
    ],
)
def test_a_price_fits_the_marketplaces_currency(
    amount: str, currency: str, marketplace_id: str, code: str | None
) -> None:
    fault = checks.price_fault(Decimal(amount), currency, marketplace_id)
    assert (fault.code if fault else None) == code


@pytest.mark.edge(16)
@pytest.mark.parametrize(
    ("sku", "code"),
    [("0", None), ("ü" * 40, None), ("x" * 41, "sku-too-long"), ("", "sku-missing"), ("a\0b", "invalid-text")],
)
def test_a_sku_has_1_to_40_characters_of_text(sku: str, code: str | None) -> None:
    fault = checks.sku_fault(sku)
    assert (fault.code if fault else None) == code


def test_a_figure_from_the_future_is_refused() -> None:
    now = clock.now()
    assert checks.as_of_fault(now + timedelta(minutes=9), now) is None
    fault = checks.as_of_fault(now + timedelta(minutes=11), now)
    assert fault is not None
    assert fault.code == "as-of-in-future"
