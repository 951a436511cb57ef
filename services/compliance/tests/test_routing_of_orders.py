"""Orders find their sources once, whatever is redelivered, reordered or cancelled."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from common.contracts.compliance import OrderHeld, OrderRouted
from common.contracts.event import Received
from common.contracts.orders import OrderChanged
from common.kafka import Consumer
from common.testing.events import deliver
from common.testing.plugin import Running
from compliance_service.events import TOPICS, handler
from compliance_service.testing import Merchant


def routed(decisions: Sequence[OrderRouted | OrderHeld]) -> OrderRouted:
    """The only decision, which must route."""
    (decision,) = decisions
    assert isinstance(decision, OrderRouted), decision
    return decision


def held(decisions: Sequence[OrderRouted | OrderHeld]) -> OrderHeld:
    """The only decision, which must hold."""
    (decision,) = decisions
    assert isinstance(decision, OrderHeld), decision
    return decision


def plan_of(event: OrderRouted) -> dict[UUID, dict[str, int]]:
    """Source -> SKU -> units."""
    return {a.source_id: {line.sku: line.quantity for line in a.lines} for a in event.allocations}


@pytest.mark.row("D4")
async def test_the_cheapest_source_that_has_everything_ships_the_order(merchant: Merchant) -> None:
    await merchant.source("Dear", {"A": 5, "B": 5}, cost="4.00", priority=1)
    cheap = await merchant.source("Cheap", {"A": 5, "B": 5}, cost="3.00", priority=9)
    await merchant.source("Half", {"A": 5}, cost="0.10")

    await merchant.deliver(merchant.order("O-1", {"A": 2, "B": 1}))

    decision = routed(await merchant.decisions())
    assert plan_of(decision) == {cheap: {"A": 2, "B": 1}}
    assert (decision.decision_version, decision.order_version) == (1, 1)
    assert decision.allocations[0].attestation_version == 1
    assert await merchant.available(cheap) == {"A": 3, "B": 4}


@pytest.mark.row("D4")
async def test_of_equally_dear_sources_the_one_with_the_lower_priority_number_ships(merchant: Merchant) -> None:
    await merchant.source("Second", {"A": 5}, cost="4.00", priority=2)
    first = await merchant.source("First", {"A": 5}, cost="4.00", priority=1)

    await merchant.deliver(merchant.order("O-1", {"A": 1}))

    assert plan_of(routed(await merchant.decisions())) == {first: {"A": 1}}


@pytest.mark.row("D4")
@pytest.mark.edge(12)
async def test_an_order_that_no_source_can_fill_alone_is_split(merchant: Merchant) -> None:
    one = await merchant.source("One", {"A": 1, "B": 1})
    two = await merchant.source("Two", {"B": 1})

    await merchant.deliver(merchant.order("O-1", {"A": 1, "B": 2}))

    decision = routed(await merchant.decisions())
    assert plan_of(decision) == {one: {"A": 1, "B": 1}, two: {"B": 1}}
    assert await merchant.available(one) == {"A": 0, "B": 0}
    assert await merchant.available(two) == {"B": 0}


@pytest.mark.row("D3")
async def test_a_source_without_attestation_gets_no_amazon_order(merchant: Merchant) -> None:
    closer = await merchant.source("Closer", {"A": 5}, attested=False, cost="1.00")
    attested = await merchant.source("Attested", {"A": 5}, cost="9.00")

    await merchant.deliver(
        merchant.order("O-1", {"A": 1}),
        merchant.order("W-1", {"A": 1}, channel_type="webshop"),
    )

    assert plan_of(routed(await merchant.decisions("O-1"))) == {attested: {"A": 1}}
    assert plan_of(routed(await merchant.decisions("W-1"))) == {closer: {"A": 1}}


@pytest.mark.row("D4")
@pytest.mark.parametrize(
    ("stock", "attested", "lines", "code"),
    [
        ({"A": 5}, True, {"A": 1, "X": 1}, "no_source_has_sku"),
        ({"A": 1}, True, {"A": 2}, "none_in_stock"),
        ({"A": 5}, False, {"A": 1}, "none_compliant"),
    ],
)
async def test_an_order_without_a_plan_is_held_with_the_reason_and_the_sources_named(
    merchant: Merchant, stock: dict[str, int], attested: bool, lines: dict[str, int], code: str
) -> None:
    source = await merchant.source("Nordlager", stock, attested=attested)

    await merchant.deliver(merchant.order("O-1", lines))

    decision = held(await merchant.decisions())
    assert decision.code == code
    assert "Nordlager" in decision.detail
    assert [(r.source_id, r.source_name) for r in decision.rejected] == [(source, "Nordlager")]
    assert await merchant.available(source) == stock, "a held order reserves nothing"


@pytest.mark.row("D4")
async def test_an_item_without_a_sku_is_named_as_that_and_the_order_is_routed_when_it_has_one(
    merchant: Merchant,
) -> None:
    source = await merchant.source("Nordlager", {"A": 5})

    await merchant.deliver(merchant.order("O-1", {"": 1, "A": 1}))

    decision = held(await merchant.decisions())
    assert (decision.code, decision.rejected) == ("line_without_sku", ())
    assert decision.detail == "An item of the order has no SKU at Amazon, so no source can be asked for it"

    await merchant.deliver(merchant.order("O-1", {"A": 2}, version=2, event=OrderChanged))

    assert plan_of(routed((await merchant.decisions())[1:])) == {source: {"A": 2}}


@pytest.mark.row("D4")
async def test_an_order_that_only_a_split_could_fill_is_held_where_split_is_not_allowed(
    merchant: Merchant, channel: UUID
) -> None:
    await merchant.source("One", {"A": 1})
    await merchant.source("Two", {"B": 1})
    await merchant.call("PUT", f"/v1/channels/{channel}/routing-group", json={"allow_split": False})

    await merchant.deliver(merchant.order("O-1", {"A": 1, "B": 1}, channel_id=channel))

    decision = held(await merchant.decisions())
    assert decision.code == "rule_not_satisfiable"
    assert {(r.source_name, r.code) for r in decision.rejected} == {
        ("One", "not_enough_stock"),
        ("Two", "not_enough_stock"),
    }


@pytest.mark.row("D4")
@pytest.mark.edge(27)
@pytest.mark.fault("F3")
@pytest.mark.fault("F7")
async def test_a_redelivered_order_is_routed_once(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    order = merchant.order("O-1", {"A": 2})
    event_id = uuid4()

    await deliver(merchant.consumer, order, event_id=event_id)
    await deliver(merchant.consumer, order, event_id=event_id)
    await merchant.deliver(order)  # the same version under a new event id
    await merchant.deliver(order, order)

    assert len(await merchant.decisions()) == 1
    assert await merchant.available(source) == {"A": 3}


@pytest.mark.edge(3)
async def test_a_held_order_told_again_in_the_same_version_is_not_decided_again(merchant: Merchant) -> None:
    order = merchant.order("O-1", {"A": 2})

    await merchant.deliver(order)
    await merchant.deliver(order)

    assert [d.decision_version for d in await merchant.decisions()] == [1]


@pytest.mark.edge(1)
async def test_a_released_pending_order_is_routed_once(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})

    await merchant.deliver(merchant.order("O-1", {"A": 2}, status="PENDING_AVAILABILITY", holds=("pending",)))
    assert await merchant.decisions() == []
    assert await merchant.available(source) == {"A": 5}

    await merchant.deliver(merchant.changed("O-1", {"A": 2}, version=2))
    await merchant.deliver(merchant.changed("O-1", {"A": 2}, version=3))

    decision = routed(await merchant.decisions())
    assert decision.order_version == 2
    assert await merchant.available(source) == {"A": 3}


@pytest.mark.edge(2)
async def test_a_pending_order_that_is_cancelled_is_never_routed(merchant: Merchant) -> None:
    await merchant.source("One", {"A": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 2}, status="PENDING", holds=("pending",)))

    await merchant.deliver(merchant.cancelled("O-1", {"A": 2}, version=2))
    await merchant.deliver(merchant.changed("O-1", {"A": 2}, version=1))

    assert await merchant.decisions() == []


@pytest.mark.edge(7)
async def test_a_cancelled_order_gives_its_stock_back_once(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))

    await merchant.deliver(merchant.cancelled("O-1", {"A": 2}, version=2))
    await merchant.deliver(merchant.cancelled("O-1", {"A": 2}, version=3), merchant.withdrawn("O-1", 1, "cancelled"))

    assert await merchant.available(source) == {"A": 5}
    assert len(await merchant.decisions()) == 1


@pytest.mark.fault("F8")
async def test_an_older_order_version_changes_nothing(merchant: Merchant) -> None:
    await merchant.source("One", {"A": 5, "B": 5})

    await merchant.deliver(merchant.changed("O-1", {"A": 1}, version=2))
    await merchant.deliver(merchant.order("O-1", {"A": 1, "B": 1}, version=1))

    decision = routed(await merchant.decisions())
    assert decision.order_version == 2


@pytest.mark.row("D4")
@pytest.mark.parametrize(
    "fields",
    [{"fulfilled_by": "AMAZON"}, {"status": "SHIPPED"}, {"holds": ("unmapped_shipping",)}, {"status": "NEW_ONE"}],
)
async def test_what_is_not_ours_to_route_is_kept_and_not_routed(merchant: Merchant, fields: dict[str, Any]) -> None:
    source = await merchant.source("One", {"A": 5})

    await merchant.deliver(merchant.order("O-1", {"A": 1}, **fields))

    assert await merchant.decisions() == []
    assert await merchant.available(source) == {"A": 5}
    assert (await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions"))["latest"] is None


@pytest.mark.row("D4")
async def test_who_bought_first_gets_the_last_unit(merchant: Merchant) -> None:
    await merchant.source("One", {"A": 1})
    early = merchant.order("O-1", {"A": 1})
    late = merchant.order("O-2", {"A": 1}, purchased_at=early.purchased_at.replace(year=2027))

    await merchant.deliver(late, early)

    assert routed(await merchant.decisions("O-1"))
    assert held(await merchant.decisions("O-2")).code == "none_in_stock"


@pytest.mark.row("D4")
@pytest.mark.fault("F17")
async def test_concurrent_batches_never_promise_a_unit_twice(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 30})
    batches = [[merchant.order(f"O-{batch}-{n}", {"A": 1}) for n in range(10)] for batch in range(6)]

    await asyncio.gather(*(merchant.deliver(*batch) for batch in batches))

    decisions = await merchant.decisions()
    assert sum(isinstance(d, OrderRouted) for d in decisions) == 30
    assert sum(isinstance(d, OrderHeld) for d in decisions) == 30
    assert await merchant.available(source) == {"A": 0}


@pytest.mark.edge(22)
async def test_another_accounts_stock_is_never_used(new_merchant: Callable[[], Merchant]) -> None:
    one, other = new_merchant(), new_merchant()
    source = await one.source("One", {"A": 5})

    await one.deliver(other.order("O-1", {"A": 1}), one.order("O-1", {"A": 1}))

    decision = held(await other.decisions())
    assert (decision.code, decision.rejected) == ("no_source_has_sku", ())
    assert plan_of(routed(await one.decisions())) == {source: {"A": 1}}


@pytest.mark.fault("F3")
async def test_a_batch_that_dies_half_way_is_routed_whole_when_it_comes_again(
    merchant: Merchant, running: Running
) -> None:
    source = await merchant.source("One", {"A": 5})
    orders = [merchant.order(f"O-{n}", {"A": 1}) for n in range(3)]

    class Killed(BaseException):
        """The process dies: nothing catches it."""

    handle = handler(restock_reroute_delay_seconds=0)

    async def dies(session: AsyncSession, received: Sequence[Received]) -> None:
        await handle(session, received)
        raise Killed

    dying = Consumer(
        running.runtime.db, "", name="compliance", topics=TOPICS, handler=dies, key_ring=running.runtime.key_ring
    )
    with pytest.raises(Killed):
        await deliver(dying, *orders)
    assert await merchant.decisions() == []
    assert await merchant.available(source) == {"A": 5}

    await merchant.deliver(*orders)

    assert len(await merchant.decisions()) == 3
    assert await merchant.available(source) == {"A": 2}
