"""The pure rules of clause (j), on text as extraction gives it: spaces lost or added, columns, another direction."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance_service.slips.rules import Expected, Finding, SlipText, judge

ADDRESS = {"name": "Müller & Söhne", "line_1": "Lagerstr. 5", "city": "Köln", "postal_code": "50667"}


def text(said: str, *, rows: str | None = None, links: tuple[str, ...] = (), pictures: int = 0) -> SlipText:
    return SlipText(pages=1, text=said, rows=said if rows is None else rows, links=links, pictures=pictures)


def findings(
    slip: SlipText, quantities: Mapping[str, Sequence[int]] | None = None, **changes: Any
) -> dict[str, Finding]:
    facts: dict[str, Any] = {
        "amazon_order_id": "113-1",
        "quantities": quantities or {"A-1": [2]},
        "source_names": [],
        "seller_of_record": "Müller & Söhne",
        "return_address": ADDRESS,
    }
    return {finding.rule: finding for finding in judge(slip, Expected(**facts | changes))[1]}


@pytest.mark.row("D7")
@pytest.mark.parametrize(
    "said",
    [
        "Mu\u0308ller & So\u0308hne",
        "MÜLLER & SÖHNE",
        "Müller&Söhne",
        "M ü l l e r & S ö h n e",
        "Müller\n& Söh\u00adne",
    ],
)
def test_the_sellers_name_is_found_however_its_letters_came_out(said: str) -> None:
    assert findings(text(said))["seller_of_record"].outcome == "passed"


@pytest.mark.parametrize("said", ["Müller", "Söhne & Müller", ""])
def test_half_a_name_is_not_the_sellers(said: str) -> None:
    assert findings(text(said))["seller_of_record"].outcome == "failed"


def test_a_name_that_runs_to_the_left_is_found_in_the_order_of_the_paper() -> None:
    assert findings(text("للتجارة شركة"), seller_of_record="شركة للتجارة")["seller_of_record"].outcome == "passed"


@pytest.mark.row("D7")
@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ("A-1   Mug, 0.3 l   2   19.98", "passed"),
        ("2x    A-1", "passed"),
        ("2     Mug\n      SKU A-1", "passed"),
        ("Mug\nA-1\nQty:\n2 pcs", "passed"),
        ("A-1   Mug   3", "failed"),
        ("A-1   2 mugs of 3", "not_checked"),
        ("A-1 Mug", "not_checked"),
        ("A-10   2", None),
        ("XA-1   2", None),
        ("a-1   2", None),
    ],
)
def test_a_quantity_is_read_where_it_stands_in_the_items_row(rows: str, outcome: str | None) -> None:
    found = findings(text(rows))
    assert found["items"].outcome == ("failed" if outcome is None else "passed")
    assert (found["quantities"].outcome if "quantities" in found else None) == outcome


def test_the_quantity_of_one_item_is_not_taken_for_that_of_another() -> None:
    rows = "1   Cup\n    SKU B\n2   Mug\n    SKU A-1"
    assert findings(text(rows), {"A-1": [2], "B": [1]})["quantities"].outcome == "passed"
    swapped = findings(text(rows), {"A-1": [1], "B": [2]})["quantities"]
    assert (swapped.outcome, swapped.detail.count("A-1"), swapped.detail.count("B ")) == ("failed", 1, 1)


def test_two_order_items_of_one_sku_may_be_printed_apart_or_together() -> None:
    for rows in ("A-1   5", "A-1   2\nA-1   3"):
        assert findings(text(rows), {"A-1": [2, 3]})["quantities"].outcome == "passed"


@pytest.mark.row("D7")
@pytest.mark.parametrize(
    ("name", "said", "outcome"),
    [
        ("Grey", "packed by grey.", "failed"),
        ("Grey", "Greyhound mug", "passed"),
        ("Grey", "item GREY-1", "passed"),
        ("Köln", "50667 Köln", "passed"),
        ("Müller", "Müller & Söhne", "passed"),
    ],
    ids=["named", "part of a word", "part of a SKU", "part of the return address", "part of the seller's name"],
)
def test_a_source_is_named_only_where_nothing_else_explains_the_word(name: str, said: str, outcome: str) -> None:
    found = findings(text(said), {"GREY-1": [1]}, source_names=[name])
    assert found["no_source_named"].outcome == outcome


def test_links_and_pictures_count_although_they_are_no_text() -> None:
    found = findings(text("nothing", links=("https://grey.example/coupon",), pictures=2))
    assert found["no_diversion"].outcome == "failed"
    assert "grey.example" not in found["no_diversion"].detail
    assert found["pictures"].outcome == "not_checked"


def test_the_sellers_own_address_on_the_web_may_be_its_name() -> None:
    found = findings(text("Sold by shop.com"), seller_of_record="Shop.com")
    assert (found["seller_of_record"].outcome, found["no_diversion"].outcome) == ("passed", "passed")


@given(said=st.text(max_size=300), sku=st.text(min_size=1, max_size=40), name=st.text(max_size=20))
def test_no_text_breaks_a_rule_and_a_failure_always_says_why(said: str, sku: str, name: str) -> None:
    for finding in findings(text(said), {sku: [1]}, source_names=[name], seller_of_record=name).values():
        assert finding.detail
        assert finding.outcome != "failed" or finding.fix


# A name that is one of our own words for an offer would be told as that word.
@given(buyer=st.text(st.characters(categories=["L"]), min_size=12, max_size=30).map("Q".__add__))
def test_nothing_of_the_slip_is_quoted(buyer: str) -> None:
    slip = text(f"{buyer}\nx@{buyer}.com www.{buyer}.example")
    assert buyer not in str(list(findings(slip).values())) + repr(slip)
