"""`decide` as a table and by properties: for whatever sources, stock and rules, what must hold of every decision."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.contracts.agreements import required_agreement
from compliance_service.routing import (
    DEFAULT_PRIORITIES,
    RULES,
    Decision,
    GroupRules,
    Line,
    OpenOrder,
    Rule,
    Shelf,
    SourceFacts,
    StockLine,
    decide,
)

SKUS = ("A", "B", "a", "A/B")
# Hypothesis wants the bounds without a time zone and the zone beside them.
AROUND_THE_DATE = (datetime(2022, 9, 20), datetime(2022, 9, 25))  # noqa: DTZ001


@dataclass(frozen=True)
class Case:
    """One input of `decide`."""

    order: OpenOrder
    sources: tuple[SourceFacts, ...]
    stock: dict[str, list[StockLine | None]]
    group: GroupRules

    def available(self, source_id: UUID, sku: str) -> int:
        position = next(n for n, source in enumerate(self.sources) if source.source_id == source_id)
        line = self.stock[sku][position] if sku in self.stock else None
        return line.available if line else 0

    def decide(self) -> Decision:
        return decide(self.order, self.sources, on_shelves(self.stock), self.group)


def on_shelves(stock: dict[str, list[StockLine | None]]) -> dict[str, Shelf]:
    return {sku: Shelf.of(lines) for sku, lines in stock.items()}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    ids = [UUID(int=number) for number in range(draw(st.integers(0, 6)))]
    sources = tuple(
        SourceFacts(
            source_id,
            f"S{source_id.int}",
            draw(st.integers(0, 2)),
            draw(st.sampled_from([(), ("Standard",), ("Expedited", "Standard"), ("Expedited",)])),
            draw(st.integers(0, 5)) > 0,
            draw(st.booleans()),
            1,
        )
        for source_id in ids
    )
    cost = st.sampled_from([(None, None), (Decimal(1), "USD"), (Decimal(2), "USD"), (Decimal(1), "GBP")])
    line = st.builds(lambda available, cost: StockLine(available, *cost), st.integers(0, 4), cost)
    shelf = st.lists(st.none() | line, min_size=len(ids), max_size=len(ids))
    stock = {sku: draw(shelf) for sku in SKUS if draw(st.booleans())}
    lines = tuple(
        Line(f"item-{position}", sku, draw(st.integers(1, 4)))
        for position, sku in enumerate(draw(st.lists(st.sampled_from(SKUS), min_size=1, max_size=4)))
    )
    order = OpenOrder(
        draw(st.sampled_from(["amazon", "webshop"])),
        draw(st.datetimes(*AROUND_THE_DATE, timezones=st.just(UTC))),
        draw(st.sampled_from([None, "Standard"])),
        draw(st.sampled_from([None, "USD"])),
        lines,
        tuple(draw(st.lists(st.sampled_from(ids), max_size=1))) if ids else (),
    )
    group = GroupRules(
        tuple(draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))) if ids else (),
        tuple(draw(st.lists(st.sampled_from(RULES), unique=True))),
        draw(st.booleans()),
    )
    return Case(order, sources, stock, group)


@pytest.mark.row("D4")
@given(cases())
@settings(max_examples=200, deadline=None)
def test_every_line_is_planned_in_full_or_the_order_is_held(case: Case) -> None:
    decision = case.decide()
    planned: dict[str, int] = {}
    for part in decision.plan:
        assert part.quantity > 0
        planned[part.order_item_id] = planned.get(part.order_item_id, 0) + part.quantity
    wanted = {line.order_item_id: line.quantity for line in case.order.lines}
    assert planned == ({} if decision.hold else wanted)


@pytest.mark.row("D4")
@given(cases())
@settings(max_examples=200, deadline=None)
def test_never_more_than_a_source_has(case: Case) -> None:
    taken: dict[tuple[str, UUID], int] = {}
    for part in case.decide().plan:
        taken[(part.sku, part.source_id)] = taken.get((part.sku, part.source_id), 0) + part.quantity
    for (sku, source_id), units in taken.items():
        assert units <= case.available(source_id, sku)


@pytest.mark.row("D3")
@given(cases())
@settings(max_examples=200, deadline=None)
def test_never_a_source_that_may_not_ship(case: Case) -> None:
    sources = {source.source_id: source for source in case.sources}
    for part in case.decide().plan:
        source = sources[part.source_id]
        assert source.enabled
        assert not case.group.source_ids or part.source_id in case.group.source_ids
        assert part.source_id not in case.order.refused_by
        if case.order.channel_type == "amazon" and case.order.purchased_at >= datetime(2022, 9, 22, tzinfo=UTC):
            assert source.compliant
        if "shipping_policy_supported" in case.group.priorities and case.order.shipping_policy:
            assert not source.shipping_policies or case.order.shipping_policy in source.shipping_policies


@pytest.mark.row("D4")
@given(cases())
@settings(max_examples=200, deadline=None)
def test_every_source_is_either_in_the_plan_or_rejected_with_a_reason(case: Case) -> None:
    decision = case.decide()
    rejected = [rejection.source_id for rejection in decision.rejected]
    chosen = {part.source_id for part in decision.plan}
    assert sorted([*rejected, *chosen]) == sorted(source.source_id for source in case.sources)


@pytest.mark.row("D4")
@given(cases(), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_the_order_in_which_sources_are_loaded_decides_nothing(case: Case, random: Random) -> None:
    positions = list(range(len(case.sources)))
    random.shuffle(positions)
    sources = [case.sources[position] for position in positions]
    stock = {sku: [shelf[position] for position in positions] for sku, shelf in case.stock.items()}
    assert decide(case.order, sources, on_shelves(stock), case.group) == case.decide()


@pytest.mark.row("D4")
@given(cases())
@settings(max_examples=200, deadline=None)
def test_an_order_is_held_only_when_its_candidates_cannot_fill_it(case: Case) -> None:
    decision = case.decide()
    if not decision.hold:
        return
    left = [r.source_id for r in decision.rejected if r.code == "not_enough_stock"]
    wanted: dict[str, int] = {}
    for line in case.order.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity

    if case.group.allow_split and "single_fulfilment_required" not in case.group.priorities:
        assert any(sum(case.available(source_id, sku) for source_id in left) < units for sku, units in wanted.items())
    else:
        assert not any(
            all(case.available(source_id, sku) >= units for sku, units in wanted.items()) for source_id in left
        )


ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
Shelves = dict[UUID, dict[str, tuple[int, str | None, str]]]


def chosen(shelves: Shelves, lines: dict[str, int], *priorities: Rule) -> dict[UUID, dict[str, int]]:
    """Who ships what, of sources that all comply; a shelf is SKU -> (units, cost, currency)."""
    sources = [SourceFacts(source_id, f"S{source_id.int}", source_id.int, (), True, True, 1) for source_id in shelves]
    stock: dict[str, list[StockLine | None]] = {sku: [None] * len(shelves) for sku in lines}
    for position, shelf in enumerate(shelves.values()):
        for sku, (units, cost, currency) in shelf.items():
            if sku in stock:
                stock[sku][position] = StockLine(units, Decimal(cost) if cost else None, currency if cost else None)
    order = OpenOrder(
        "amazon",
        datetime(2026, 1, 1, tzinfo=UTC),
        None,
        "USD",
        tuple(Line(f"item-{sku}", sku, units) for sku, units in lines.items()),
    )
    plan: dict[UUID, dict[str, int]] = {}
    for part in decide(order, sources, on_shelves(stock), GroupRules(priorities=priorities)).plan:
        plan.setdefault(part.source_id, {})[part.sku] = part.quantity
    return plan


@pytest.mark.row("D4")
def test_a_cost_in_another_currency_is_not_compared() -> None:
    shelves: Shelves = {ONE: {"A": (5, "1.00", "GBP")}, TWO: {"A": (5, "9.00", "USD")}, THREE: {"A": (5, None, "")}}
    assert chosen(shelves, {"A": 1}, "lowest_cost") == {TWO: {"A": 1}}


@pytest.mark.row("D4")
def test_the_rule_named_first_binds_first() -> None:
    shelves: Shelves = {
        ONE: {"A": (5, "2.00", "USD"), "B": (5, "2.00", "USD")},
        TWO: {"A": (5, "1.00", "USD")},
        THREE: {"B": (5, "1.00", "USD")},
    }
    lines = {"A": 1, "B": 1}
    assert chosen(shelves, lines, "single_fulfilment", "lowest_cost") == {ONE: {"A": 1, "B": 1}}
    assert chosen(shelves, lines, "lowest_cost", "single_fulfilment") == {TWO: {"A": 1}, THREE: {"B": 1}}
    assert chosen(shelves, lines, "source_priority", "lowest_cost") == {ONE: {"A": 1, "B": 1}}


@pytest.mark.edge(12)
def test_a_split_makes_few_parcels() -> None:
    shelves: Shelves = {
        ONE: {"A": (1, "1.00", "USD")},
        TWO: {"B": (1, "1.00", "USD")},
        THREE: {"A": (1, "9.00", "USD"), "B": (1, "9.00", "USD")},
    }
    assert chosen(shelves, {"A": 1, "B": 2}, *DEFAULT_PRIORITIES) == {THREE: {"A": 1, "B": 1}, TWO: {"B": 1}}


@pytest.mark.row("D4")
def test_a_preferred_single_fulfilment_splits_at_need_and_a_required_one_never() -> None:
    shelves: Shelves = {ONE: {"A": (1, "1.00", "USD")}, TWO: {"B": (1, "1.00", "USD")}}
    lines = {"A": 1, "B": 1}
    assert chosen(shelves, lines, "single_fulfilment") == {ONE: {"A": 1}, TWO: {"B": 1}}
    assert chosen(shelves, lines, "single_fulfilment_required", "single_fulfilment") == {}
    shelves[THREE] = {"A": (1, "9.00", "USD"), "B": (1, "9.00", "USD")}
    assert chosen(shelves, lines, "lowest_cost", "single_fulfilment_required") == {THREE: lines}


@pytest.mark.row("D4")
def test_a_cost_that_is_not_known_ranks_after_every_known_one() -> None:
    shelves: Shelves = {
        ONE: {"A": (5, None, ""), "B": (5, "1.00", "USD")},
        TWO: {"A": (5, "99.00", "USD"), "B": (5, "99.00", "USD")},
    }
    assert chosen(shelves, {"A": 1, "B": 1}, "lowest_cost", "single_fulfilment_required") == {TWO: {"A": 1, "B": 1}}
    assert chosen(shelves, {"B": 1}, "lowest_cost", "single_fulfilment_required") == {ONE: {"B": 1}}


@pytest.mark.row("D3")
@pytest.mark.parametrize(
    ("channel_type", "purchased_at", "bound"),
    [
        ("amazon", datetime(2022, 9, 21, 23, 59, 59, tzinfo=UTC), False),
        ("amazon", datetime(2022, 9, 22, tzinfo=UTC), True),
        ("amazon", datetime(2026, 1, 1, tzinfo=UTC), True),
        ("webshop", datetime(2026, 1, 1, tzinfo=UTC), False),
    ],
)
def test_the_agreement_binds_amazon_orders_from_its_date_on(
    channel_type: str, purchased_at: datetime, bound: bool
) -> None:
    assert (required_agreement(channel_type, purchased_at) is not None) == bound
