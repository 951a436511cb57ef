"""Reserved stock ends once: shipped, released, refused or killed; and a later count never counts it twice."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from common import clock
from common.bulk import run
from common.contracts.compliance import OrderHeld, OrderRouted
from common.testing.identity import Issuer
from common.testing.plugin import Running
from compliance_service.testing import Merchant


async def routed(merchant: Merchant, lines: dict[str, int]) -> OrderRouted:
    await merchant.deliver(merchant.order("O-1", lines))
    decision = (await merchant.decisions())[-1]
    assert isinstance(decision, OrderRouted)
    return decision


@pytest.mark.row("D1")
async def test_shipped_units_stay_gone_until_a_later_count_knows_of_them(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})
    assert await merchant.available(source) == {"A": 3}

    shipped = merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=source, decision_version=1)
    await merchant.deliver(shipped)
    await merchant.deliver(shipped)
    assert await merchant.available(source) == {"A": 3}

    await merchant.restock(source, {"A": 3}, as_of=clock.now())
    assert await merchant.available(source) == {"A": 3}


@pytest.mark.row("D1")
async def test_a_count_does_not_free_units_that_are_still_promised(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})

    await merchant.restock(source, {"A": 4})

    assert await merchant.available(source) == {"A": 2}


async def test_a_count_from_before_a_parcel_left_does_not_give_its_units_back(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    counted_at = clock.now()
    await routed(merchant, {"A": 2})
    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=source, decision_version=1))

    await merchant.restock(source, {"A": 5}, as_of=counted_at)

    assert await merchant.available(source) == {"A": 3}


@pytest.mark.row("D1")
@pytest.mark.fault("F8")
async def test_a_parcel_that_is_told_late_is_not_taken_off_a_count_that_knows_of_it(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})
    left_at = clock.now()
    await merchant.restock(source, {"A": 3}, as_of=clock.now())

    line = ("O-1-0", "A", 2)
    await merchant.deliver(merchant.shipped("O-1", [line], source_id=source, decision_version=1, shipped_at=left_at))

    assert await merchant.available(source) == {"A": 3}


async def test_a_parcel_that_is_told_late_wakes_the_orders_that_its_units_kept_waiting(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})
    left_at = clock.now()
    await merchant.restock(source, {"A": 3}, as_of=clock.now())
    await merchant.deliver(merchant.order("O-2", {"A": 3}))
    await merchant.run_jobs()
    assert isinstance((await merchant.decisions("O-2"))[-1], OrderHeld)

    line = ("O-1-0", "A", 2)
    await merchant.deliver(merchant.shipped("O-1", [line], source_id=source, decision_version=1, shipped_at=left_at))
    await merchant.run_jobs()

    assert isinstance((await merchant.decisions("O-2"))[-1], OrderRouted)


async def test_a_parcel_dated_ahead_does_not_outlast_the_next_count(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})
    ahead = clock.now() + timedelta(hours=1)
    await merchant.deliver(
        merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=source, decision_version=1, shipped_at=ahead)
    )

    await merchant.restock(source, {"A": 3}, as_of=clock.now())

    assert await merchant.available(source) == {"A": 3}


@pytest.mark.edge(12)
async def test_parcels_of_one_line_are_counted_one_by_one(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 3})

    for units in (1, 2):
        await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", units)], source_id=source, decision_version=1))
    await merchant.deliver(merchant.withdrawn("O-1", 1))
    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2, status="SHIPPED"))

    assert await merchant.available(source) == {"A": 2}
    assert len(await merchant.decisions()) == 1


async def test_a_withdrawn_version_frees_only_its_own_stock(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})
    await merchant.deliver(merchant.withdrawn("O-1", 1, "outdated"))
    assert [d.decision_version for d in await merchant.decisions()] == [1, 2]

    await merchant.deliver(merchant.withdrawn("O-1", 1, "outdated"))

    assert await merchant.available(source) == {"A": 3}
    assert len(await merchant.decisions()) == 2


@pytest.mark.row("D4")
async def test_what_a_source_refuses_to_fill_goes_to_another_and_never_back(merchant: Merchant) -> None:
    first = await merchant.source("First", {"A": 5}, priority=1)
    second = await merchant.source("Second", {"A": 5}, priority=2)
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.refused("O-1", first, 1, "fill"))
    decision = (await merchant.decisions())[-1]
    assert isinstance(decision, OrderRouted)
    assert [a.source_id for a in decision.allocations] == [second]
    assert await merchant.available(first) == {"A": 5}

    await merchant.deliver(merchant.refused("O-1", second, 2, "fill"))
    held = (await merchant.decisions())[-1]
    assert isinstance(held, OrderHeld)
    assert held.code == "rule_not_satisfiable"
    assert {r.code for r in held.rejected} == {"refused"}


async def test_a_refused_part_of_a_split_order_is_the_only_part_that_is_routed_again(merchant: Merchant) -> None:
    one = await merchant.source("One", {"A": 1})
    two = await merchant.source("Two", {"B": 1})
    await routed(merchant, {"A": 1, "B": 1})
    three = await merchant.source("Three", {"A": 1, "B": 1})

    await merchant.deliver(merchant.refused("O-1", two, 1, "fill"))

    decision = (await merchant.decisions())[-1]
    assert isinstance(decision, OrderRouted)
    assert [(a.source_id, [line.sku for line in a.lines]) for a in decision.allocations] == [(three, ["B"])]
    assert await merchant.available(one) == {"A": 0}


async def test_killed_units_are_asked_of_nobody_else(merchant: Merchant) -> None:
    first = await merchant.source("First", {"A": 5}, priority=1)
    await merchant.source("Second", {"A": 5}, priority=2)
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.refused("O-1", first, 1, "kill"))

    assert len(await merchant.decisions()) == 1
    assert await merchant.available(first) == {"A": 5}


async def test_units_that_were_given_up_are_those_that_are_cancelled_next(merchant: Merchant) -> None:
    one = await merchant.source("One", {"A": 1}, priority=1)
    two = await merchant.source("Two", {"A": 1}, priority=2)
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.refused("O-1", one, 1, "kill"))
    await merchant.deliver(merchant.changed("O-1", {"A": 1}, 2))

    assert (await merchant.available(one), await merchant.available(two)) == ({"A": 1}, {"A": 0})
    assert len(await merchant.decisions()) == 1


async def test_a_parcel_from_another_source_than_planned_moves_the_promise(merchant: Merchant) -> None:
    planned = await merchant.source("Planned", {"A": 5}, priority=1)
    actual = await merchant.source("Actual", {"A": 5}, priority=2)
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=actual, decision_version=None))

    assert await merchant.available(planned) == {"A": 5}
    assert await merchant.available(actual) == {"A": 3}


async def test_a_closed_order_keeps_nothing_reserved(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.cancelled("O-1", {"A": 2}, 2))

    assert await merchant.available(source) == {"A": 5}


@pytest.mark.row("D1")
async def test_what_left_with_an_order_that_is_shipped_stays_gone_and_its_parcel_counts_once(
    merchant: Merchant,
) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 3})

    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2, status="SHIPPED", fulfilled=3))
    assert await merchant.available(source) == {"A": 2}

    for units in (1, 2):
        parcel = merchant.shipped("O-1", [("O-1-0", "A", units)], source_id=source, decision_version=1)
        await merchant.deliver(parcel, parcel)
        assert await merchant.available(source) == {"A": 2}

    await merchant.restock(source, {"A": 2})
    assert await merchant.available(source) == {"A": 2}


async def test_what_another_source_shipped_goes_back_where_it_was_planned(merchant: Merchant) -> None:
    planned = await merchant.source("Planned", {"A": 5}, priority=1)
    actual = await merchant.source("Actual", {"A": 5}, priority=2)
    await routed(merchant, {"A": 2})
    await merchant.deliver(merchant.changed("O-1", {"A": 2}, 2, status="SHIPPED", fulfilled=2))

    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=actual, decision_version=None))

    assert await merchant.available(planned) == {"A": 5}
    assert await merchant.available(actual) == {"A": 3}


async def test_what_no_source_was_asked_for_did_not_leave_with_its_order(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})
    await merchant.deliver(merchant.changed("O-1", {"A": 2}, 2, status="SHIPPED", fulfilled=2))

    await merchant.deliver(merchant.withdrawn("O-1", 1, "order_closed"))

    assert await merchant.available(source) == {"A": 5}


@pytest.mark.row("D1")
async def test_a_parcel_with_the_source_of_another_account_lowers_the_planned_source_only(
    merchant: Merchant, running: Running, issuer: Issuer
) -> None:
    other = Merchant(running, issuer)
    theirs = await other.source("Theirs", {"A": 5})
    ours = await merchant.source("Ours", {"A": 5})
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=theirs, decision_version=1))
    await merchant.deliver(merchant.order("O-2", {"A": 1}, holds=("unmapped_shipping",)))
    await merchant.deliver(merchant.shipped("O-2", [("O-2-0", "A", 1)], source_id=theirs, decision_version=None))

    assert await other.available(theirs) == {"A": 5}
    assert await merchant.available(ours) == {"A": 3}


async def test_what_was_reserved_at_the_source_of_another_account_lowers_nothing_there(
    merchant: Merchant, running: Running, issuer: Issuer
) -> None:
    other = Merchant(running, issuer)
    theirs = await other.source("Theirs", {"A": 5})
    await merchant.source("Ours", {"A": 5})
    await routed(merchant, {"A": 2})
    # As releases before this one kept it.
    async with running.runtime.db.transaction() as session:
        sql = "update stock_reservation set source_id = $1 where account_id = $2"
        await run(session, sql, theirs, merchant.account_id)

    assert await other.available(theirs) == {"A": 5}


@pytest.mark.row("D1")
async def test_a_source_that_nobody_knows_leaves_the_promise_where_it_was_planned(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=uuid4(), decision_version=None))

    assert await merchant.available(source) == {"A": 3}


@pytest.mark.row("C4", "D1")
async def test_units_that_are_not_ordered_any_more_go_back_and_wake_who_waits_for_them(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 3, "B": 2})
    await routed(merchant, {"A": 3, "B": 2})
    await merchant.deliver(merchant.order("O-2", {"A": 1}), merchant.order("O-3", {"B": 2}))
    assert [type(d) for d in (await merchant.decisions())[1:]] == [OrderHeld, OrderHeld]

    await merchant.deliver(merchant.changed("O-1", {"A": 1}, 2))
    await merchant.run_jobs()

    assert await merchant.available(source) == {"A": 1, "B": 0}
    assert [type((await merchant.decisions(order))[-1]) for order in ("O-1", "O-2", "O-3")] == [OrderRouted] * 3
    assert len(await merchant.decisions("O-1")) == 1


@pytest.mark.row("C4", "D1")
async def test_of_fewer_units_the_newest_promise_goes_back_and_what_has_left_counts(merchant: Merchant) -> None:
    one = await merchant.source("One", {"A": 2}, priority=1)
    two = await merchant.source("Two", {"A": 3}, priority=2)
    await routed(merchant, {"A": 2})
    await merchant.deliver(merchant.changed("O-1", {"A": 4}, 2))
    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 1)], source_id=one, decision_version=1))
    assert (await merchant.available(one), await merchant.available(two)) == ({"A": 0}, {"A": 1})

    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 3))
    assert (await merchant.available(one), await merchant.available(two)) == ({"A": 0}, {"A": 2})

    await merchant.deliver(merchant.changed("O-1", {"A": 1}, 4))
    assert (await merchant.available(one), await merchant.available(two)) == ({"A": 1}, {"A": 3})


async def test_a_line_added_to_a_routed_order_is_routed_beside_the_others(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5, "B": 5})
    await routed(merchant, {"A": 2})

    await merchant.deliver(merchant.changed("O-1", {"A": 2, "B": 1}, 2))

    decision = (await merchant.decisions())[-1]
    assert isinstance(decision, OrderRouted)
    assert [line.sku for a in decision.allocations for line in a.lines] == ["B"]
    assert await merchant.available(source) == {"A": 3, "B": 4}


@pytest.mark.fault("F8")
async def test_news_of_an_order_never_seen_is_passed_by(merchant: Merchant) -> None:
    source: UUID = await merchant.source("One", {"A": 5})

    await merchant.deliver(
        merchant.withdrawn("O-9", 1),
        merchant.shipped("O-9", [("O-9-0", "A", 2)], source_id=source, decision_version=1, shipment_id=uuid4()),
    )

    assert await merchant.available(source) == {"A": 5}
    assert await merchant.decisions() == []


async def test_stock_counted_in_the_far_future_is_refused(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})

    answer = await merchant.restock(source, {"A": 9}, as_of=clock.now() + timedelta(days=1))

    assert [error["code"] for error in answer["errors"]] == ["as-of-in-future"]
    assert await merchant.available(source) == {"A": 5}


@pytest.mark.row("D4")
@pytest.mark.edge(12)
async def test_units_shipped_elsewhere_are_asked_of_nobody(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 9})
    await merchant.deliver(merchant.order("O-1", {"A": 3}, status="PARTIALLY_SHIPPED", fulfilled=2))
    (decision,) = await merchant.decisions()
    assert isinstance(decision, OrderRouted)
    assert [line.quantity for a in decision.allocations for line in a.lines] == [1]

    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 1)], source_id=source, decision_version=1))
    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2, status="PARTIALLY_SHIPPED", fulfilled=2))

    assert len(await merchant.decisions()) == 1
    assert await merchant.available(source) == {"A": 8}


async def test_a_held_order_that_is_partly_shipped_elsewhere_wants_only_the_rest(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 0})
    await merchant.deliver(merchant.order("O-1", {"A": 3}))
    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2, status="PARTIALLY_SHIPPED", fulfilled=2))

    await merchant.restock(source, {"A": 9})
    await merchant.run_jobs()

    decision = (await merchant.decisions())[-1]
    assert isinstance(decision, OrderRouted)
    assert [line.quantity for a in decision.allocations for line in a.lines] == [1]


async def test_a_parcel_from_nobody_known_closes_its_units(merchant: Merchant) -> None:
    await merchant.deliver(merchant.order("O-1", {"A": 3}, holds=("unmapped_shipping",)))
    shipped = merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=None, decision_version=None)
    await merchant.deliver(shipped)
    await merchant.deliver(shipped)
    source = await merchant.source("One", {"A": 9})

    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2))

    assert await merchant.available(source) == {"A": 8}
    shown = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions")
    assert [(r["source_id"], r["quantity"]) for r in shown["reservations"]] == [(str(UUID(int=0)), 2), (str(source), 1)]


async def test_what_is_refused_after_a_part_left_elsewhere_is_routed_without_that_part(merchant: Merchant) -> None:
    first = await merchant.source("First", {"A": 9}, priority=1)
    second = await merchant.source("Second", {"A": 9}, priority=2)
    await routed(merchant, {"A": 3})
    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2, status="PARTIALLY_SHIPPED", fulfilled=2))

    await merchant.deliver(merchant.refused("O-1", first, 1, "fill"))
    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 1)], source_id=second, decision_version=2))

    assert await merchant.available(second) == {"A": 8}
    assert len(await merchant.decisions()) == 2
