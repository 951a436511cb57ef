"""What frees held orders: the toggle, a restock, new rules; and what the toggle's other direction does."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from common import clock
from common.bulk import run
from common.contracts.compliance import OrderHeld, OrderRouted, SourceComplianceChanged
from common.contracts.event import encode
from common.jobs import OperationRun, Work
from common.testing.events import clear_outbox, published, record
from common.testing.plugin import Running
from common.worker import Worker
from compliance_service import attesting, reroute_queue, rerouting
from compliance_service.account_turn import take_turn
from compliance_service.replaying import replay_all
from compliance_service.testing import Merchant


async def runs(running: Running, account_id: UUID) -> list[OperationRun]:
    async with running.runtime.db.transaction() as session:
        query = select(OperationRun).where(OperationRun.account_id == account_id).order_by(col(OperationRun.created_at))
        return list((await session.exec(query)).all())


@pytest.mark.row("D5")
@pytest.mark.edge(24)
async def test_switching_a_toggle_on_routes_what_it_held(merchant: Merchant) -> None:
    source = await merchant.source("Nordlager", {"A": 5}, attested=False)
    await merchant.deliver(merchant.order("O-1", {"A": 2}), merchant.order("O-2", {"A": 1}))
    held = await merchant.decisions()
    assert [d.code for d in held if isinstance(d, OrderHeld)] == ["none_compliant", "none_compliant"]

    await merchant.attest(source)
    await merchant.run_jobs()

    for order_id in ("O-1", "O-2"):
        first, second = await merchant.decisions(order_id)
        assert isinstance(second, OrderRouted)
        assert (first.decision_version, second.decision_version) == (1, 2)
        assert second.allocations[0].attestation_version == 1
    assert await merchant.available(source) == {"A": 2}


@pytest.mark.row("D5")
@pytest.mark.edge(24)
async def test_a_route_withdrawn_because_the_toggle_went_off_is_held_with_the_source_named(merchant: Merchant) -> None:
    source = await merchant.source("Nordlager", {"A": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))

    await merchant.withdraw_attestation(source)
    await merchant.deliver(merchant.withdrawn("O-1", 1))

    _, held = await merchant.decisions()
    assert isinstance(held, OrderHeld)
    assert (held.code, held.decision_version) == ("none_compliant", 2)
    assert "Nordlager" in held.detail
    assert await merchant.available(source) == {"A": 5}
    changes = [e for e in await merchant.announced() if isinstance(e, SourceComplianceChanged)]
    assert [(c.compliant, c.attestation_version, c.source_name) for c in changes] == [
        (True, 1, "Nordlager"),
        (False, 2, "Nordlager"),
    ]

    await merchant.attest(source)
    await merchant.run_jobs()
    assert isinstance((await merchant.decisions())[-1], OrderRouted)


@pytest.mark.row("D5")
async def test_a_restock_routes_the_orders_that_wait_for_it(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 1})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))

    await merchant.restock(source, {"A": 3})
    await merchant.run_jobs()

    assert isinstance((await merchant.decisions())[-1], OrderRouted)
    assert await merchant.available(source) == {"A": 1}


@pytest.mark.row("D5")
@pytest.mark.edge(7)
async def test_units_that_go_back_wake_the_order_that_waits_for_them(merchant: Merchant) -> None:
    source = await merchant.source("One", {"A": 2})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))
    await merchant.deliver(merchant.order("O-2", {"A": 1}), merchant.order("O-3", {"A": 1}))
    assert [type(d) for d in await merchant.decisions()] == [OrderRouted, OrderHeld, OrderHeld]

    await merchant.deliver(merchant.cancelled("O-1", {"A": 2}, 2))
    await merchant.run_jobs()

    assert [type(d) for d in (await merchant.decisions())[3:]] == [OrderRouted, OrderRouted]
    assert await merchant.available(source) == {"A": 0}


@pytest.mark.row("D4")
async def test_a_source_that_learns_a_shipping_policy_or_an_order_that_changes_its_own_is_routed(
    merchant: Merchant,
) -> None:
    source = await merchant.source("One", {"A": 2}, shipping_policies=["Economy"])
    await merchant.deliver(merchant.order("O-1", {"A": 1}), merchant.order("O-2", {"A": 1}))

    await merchant.deliver(merchant.changed("O-1", {"A": 1}, 2, shipping_policy="Economy"))
    assert isinstance((await merchant.decisions("O-1"))[-1], OrderRouted)
    await merchant.call("PATCH", f"/v1/sources/{source}", json={"shipping_policies": ["Economy", "Standard"]})
    await merchant.run_jobs()

    first, second = await merchant.decisions("O-2")
    assert isinstance(first, OrderHeld)
    assert isinstance(second, OrderRouted)
    assert (first.decision_version, second.decision_version) == (1, 2)


@pytest.mark.row("D5")
@pytest.mark.edge(22)
async def test_a_long_run_of_one_account_lets_another_go_first(
    new_merchant: Callable[[], Merchant], running: Running
) -> None:
    large, small = new_merchant(), new_merchant()
    db = running.runtime.db
    sources = [await merchant.source("One", {"A": 9}, attested=False) for merchant in (large, small)]
    await large.deliver(*(large.order(f"O-{n}", {"A": 1}) for n in range(5)))
    await small.deliver(small.order("O-1", {"A": 1}))
    await clear_outbox(db)
    await large.attest(sources[0])
    await small.attest(sources[1])

    await Worker(db, {"reroute": partial(rerouting.reroute, db, page=2, share=1)}).run_due()

    routed = [event.account_id for event in await published(db) if isinstance(event, OrderRouted)]
    assert routed == [*[large.account_id] * 2, small.account_id, *[large.account_id] * 3]


@pytest.mark.row("D5")
@pytest.mark.fault("F15")
async def test_a_withdrawal_by_a_clock_ahead_of_ours_is_not_routed_to_the_same_source_again(
    merchant: Merchant,
) -> None:
    source = await merchant.source("One", {"A": 5}, attested=False)
    until = clock.now() + timedelta(minutes=5)
    await merchant.attest(source, expires_at=until.isoformat())
    await merchant.deliver(merchant.order("O-1", {"A": 1}))
    withdrawn = merchant.withdrawn("O-1", 1, "source_not_compliant")
    message = json.loads(encode(withdrawn, event_id=uuid4(), source="orders"))
    message["time"] = (until + timedelta(seconds=1)).isoformat()

    await merchant.consumer.process([record(json.dumps(message).encode(), topic=withdrawn.TOPIC, key=withdrawn.key())])

    last = (await merchant.decisions())[-1]
    assert isinstance(last, OrderHeld)
    assert (last.code, last.decision_version) == ("none_compliant", 2)


@pytest.mark.row("D4")
async def test_what_orders_has_released_already_is_decided_again_only_when_something_changed(
    merchant: Merchant, running: Running
) -> None:
    source = await merchant.source("One", {"A": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))

    await merchant.deliver(merchant.withdrawn("O-1", 1, "already_released"))
    held = (await merchant.decisions())[-1]
    assert isinstance(held, OrderHeld)
    assert (held.code, held.decision_version) == ("already_released", 2)
    assert await merchant.available(source) == {"A": 5}

    # Nor does anything that frees other held orders start it again.
    await merchant.deliver(merchant.withdrawn("O-1", 1, "already_released"), merchant.order("O-1", {"A": 2}))
    await merchant.restock(source, {"A": 6})
    await merchant.run_jobs()
    assert len(await runs(running, merchant.account_id)) == 1
    assert len(await merchant.decisions()) == 2

    await merchant.deliver(merchant.changed("O-1", {"A": 3}, 2))
    assert isinstance((await merchant.decisions())[-1], OrderRouted)
    assert (await replay_all(running.runtime.db, merchant.account_id)).different == 0


@pytest.mark.row("D4")
async def test_an_order_that_changed_meanwhile_or_was_refused_is_not_held_as_released_already(
    merchant: Merchant,
) -> None:
    source = await merchant.source("One", {"A": 5})
    await merchant.source("Two", {"A": 5}, priority=200)
    await merchant.deliver(merchant.order("O-1", {"A": 2}), merchant.order("O-2", {"A": 2}))

    await merchant.deliver(merchant.withdrawn("O-1", 1, "already_released"), merchant.changed("O-1", {"A": 1}, 2))
    assert isinstance((await merchant.decisions("O-1"))[-1], OrderRouted)

    await merchant.deliver(merchant.withdrawn("O-2", 1, "already_released"))
    await merchant.deliver(merchant.refused("O-2", source, 1, "fill"))
    assert [type(d) for d in await merchant.decisions("O-2")] == [OrderRouted, OrderHeld, OrderRouted]


async def test_a_restock_that_no_held_order_waits_for_starts_no_run(merchant: Merchant, running: Running) -> None:
    source = await merchant.source("One", {"A": 1})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))

    await merchant.restock(source, {"B": 3})

    assert await runs(running, merchant.account_id) == []


async def test_many_restocks_wait_in_one_run(merchant: Merchant, running: Running) -> None:
    source = await merchant.source("One", {"A": 1}, attested=False)
    await merchant.deliver(merchant.order("O-1", {"A": 20}))

    for quantity in (2, 3, 4):
        await merchant.restock(source, {"A": quantity})

    assert len(await runs(running, merchant.account_id)) == 1


async def test_a_change_during_a_run_starts_another_one(merchant: Merchant, running: Running) -> None:
    await merchant.deliver(merchant.order("O-1", {"A": 2}))
    async with running.runtime.db.transaction() as session:
        await reroute_queue.request_reroute(session, merchant.account_id, requested_by="test")
    claimed = await running.runtime.worker()._claim()
    assert claimed is not None

    async with running.runtime.db.transaction() as session:
        await reroute_queue.request_reroute(session, merchant.account_id, requested_by="test")

    assert [run.status for run in await runs(running, merchant.account_id)] == ["running", "queued"]


async def test_a_hold_that_stays_the_same_is_not_announced_again(merchant: Merchant, running: Running) -> None:
    source = await merchant.source("One", {"A": 1})
    await merchant.deliver(merchant.order("O-1", {"A": 5}))

    await merchant.restock(source, {"A": 2})
    await merchant.run_jobs()

    assert len(await merchant.decisions()) == 1
    (run,) = await runs(running, merchant.account_id)
    assert (run.requested_by, run.status, run.counts) == (
        "restock",
        "succeeded",
        {"decided": 1, "routed": 0, "still_held": 1},
    )


@pytest.mark.row("D4")
async def test_a_new_routing_group_routes_what_the_old_one_held(merchant: Merchant, channel: UUID) -> None:
    await merchant.source("One", {"A": 1})
    await merchant.source("Two", {"A": 1})
    await merchant.call("PUT", f"/v1/channels/{channel}/routing-group", json={"allow_split": False})
    await merchant.deliver(merchant.order("O-1", {"A": 2}, channel_id=channel))

    await merchant.call("PUT", f"/v1/channels/{channel}/routing-group", json={"allow_split": True})
    await merchant.run_jobs()

    first, second = await merchant.decisions()
    assert isinstance(first, OrderHeld)
    assert first.code == "rule_not_satisfiable"
    assert isinstance(second, OrderRouted)
    assert len(second.allocations) == 2


@pytest.mark.row("D5")
@pytest.mark.fault("F1")
async def test_a_run_that_dies_between_two_pages_is_finished_by_the_next_worker(
    merchant: Merchant, running: Running
) -> None:
    page = 100
    source = await merchant.source("One", {"A": 400}, attested=False)
    orders = [merchant.order(f"O-{n}", {"A": 1}) for n in range(page + 50)]
    await merchant.deliver(*orders)
    await merchant.attest(source)
    db = running.runtime.db
    work = await running.runtime.worker()._claim()
    assert work is not None

    class Killed(BaseException):
        """The process dies: nothing catches it."""

    class DyingAfterOnePage(Work):
        def count(self, name: str, by: int = 1) -> None:
            raise Killed

    with pytest.raises(Killed):
        await rerouting.reroute(db, DyingAfterOnePage(**vars(work)), page=page)
    assert sum(isinstance(d, OrderRouted) for d in await merchant.decisions()) == page
    async with db.transaction() as session:
        run = await session.get_one(OperationRun, work.id)
        run.heartbeat_at = datetime.now(UTC) - timedelta(minutes=1)

    await merchant.run_jobs()

    decisions = await merchant.decisions()
    assert sum(isinstance(d, OrderRouted) for d in decisions) == len(orders)
    assert sum(isinstance(d, OrderHeld) for d in decisions) == len(orders)
    assert await merchant.available(source) == {"A": 250}


@pytest.mark.row("D2")
async def test_an_attestation_that_runs_out_switches_the_toggle_off(merchant: Merchant, running: Running) -> None:
    source = await merchant.source("One", {"A": 5}, attested=False)
    await merchant.attest(source, expires_at=(clock.now() + timedelta(hours=1)).isoformat())
    async with running.runtime.db.transaction() as session:
        ended = clock.now() - timedelta(seconds=1)
        await run(session, "update source set attested_until = $2 where id = $1", source, ended)

    await merchant.deliver(merchant.order("O-1", {"A": 1}))
    expired = await attesting.expire_due(running.runtime.db)
    again = await attesting.expire_due(running.runtime.db)

    assert (expired, again) == (1, 0)
    (held,) = await merchant.decisions()
    assert isinstance(held, OrderHeld)
    assert held.code == "none_compliant"
    history = (await merchant.call("GET", f"/v1/sources/{source}/attestations"))["items"]
    assert [(entry["version"], entry["action"]) for entry in history] == [(2, "expired"), (1, "given")]
    changes = [e for e in await merchant.announced() if isinstance(e, SourceComplianceChanged)]
    assert [(c.compliant, c.attestation_version) for c in changes] == [(True, 1), (False, 2)]


@pytest.mark.edge(22)
async def test_one_accounts_toggle_decides_nothing_of_another(new_merchant: Callable[[], Merchant]) -> None:
    one, other = new_merchant(), new_merchant()
    source = await one.source("One", {"A": 5}, attested=False)
    await other.source("One", {"A": 5}, attested=False)
    await one.deliver(one.order("O-1", {"A": 1}), other.order("O-1", {"A": 1}))

    await one.attest(source)
    await one.run_jobs()

    assert len(await one.decisions()) == 2
    assert len(await other.decisions()) == 1


@pytest.mark.row("D5")
async def test_while_one_accounts_held_orders_are_decided_again_other_accounts_of_the_batch_do_not_wait(
    new_merchant: Callable[[], Merchant], running: Running
) -> None:
    busy, other = new_merchant(), new_merchant()
    await busy.source("One", {"A": 5})
    await other.source("One", {"A": 5})
    db = running.runtime.db
    async with db.transaction() as page:  # a page of the busy account, which takes its time
        await take_turn(page, [busy.account_id])
        batch = asyncio.create_task(busy.deliver(busy.order("O-1", {"A": 1}), other.order("O-1", {"A": 1})))
        async with asyncio.timeout(60):
            while not await other.decisions():
                await asyncio.sleep(0.02)
        assert await busy.decisions() == []
        assert not batch.done()
    await batch
    assert [len(await one.decisions()) for one in (busy, other)] == [1, 1]
