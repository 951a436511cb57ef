"""Routing groups, and what one call tells of an order's decisions: enough to take each of them again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from common import clock
from common.bulk import run
from common.contracts.compliance import OrderRouted
from common.testing.plugin import Running
from compliance_service.decision_records import decide_again, read_inputs, read_sources
from compliance_service.testing import Merchant


@pytest.mark.row("D6")
@pytest.mark.row("D4")
async def test_an_orders_decisions_are_told_whole_and_can_be_taken_again(merchant: Merchant) -> None:
    bare = await merchant.source("Bare", {"A": 5}, attested=False, cost="1.00")
    await merchant.source("Other", {"B": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 2}))
    await merchant.attest(bare)
    await merchant.run_jobs()

    answer = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions")

    latest, first = answer["latest"], answer["history"][0]
    assert (answer["state"], latest["outcome"], latest["cause"], latest["decision_version"]) == (
        "routed",
        "routed",
        "reroute",
        2,
    )
    assert [(p["source_name"], p["sku"], p["quantity"]) for p in latest["plan"]] == [("Bare", "A", 2)]
    assert {r["source_name"]: r["code"] for r in latest["rejected"]} == {"Other": "sku_unknown"}
    assert (first["outcome"], first["code"], first["cause"]) == ("held", "none_compliant", "order")
    assert {r["source_name"]: r["code"] for r in first["rejected"]} == {"Bare": "not_compliant", "Other": "sku_unknown"}
    for told in (latest, first):
        again = decide_again(read_inputs(told["inputs"]), read_sources(told["sources"]))
        assert again.hold == told["code"]
        assert [(str(p.source_id), p.sku, p.quantity) for p in again.plan] == [
            (p["source_id"], p["sku"], p["quantity"]) for p in told["plan"]
        ]
        assert {(str(r.source_id), r.code) for r in again.rejected} == {
            (r["source_id"], r["code"]) for r in told["rejected"]
        }


@pytest.mark.row("D2")
@pytest.mark.row("D6")
async def test_one_call_says_why_a_source_shipped_an_order_and_who_had_attested_what_then(
    merchant: Merchant, channel: UUID
) -> None:
    source = await merchant.source("Nordlager", {"A": 5}, attested=False)
    await merchant.deliver(merchant.order("O-1", {"A": 2}, channel_id=channel))
    await merchant.attest(source, agreement_version="2026-01", document_hash="b" * 64)
    await merchant.run_jobs()
    shipped = merchant.shipped("O-1", [("O-1-0", "A", 2)], source_id=source, decision_version=2)
    await merchant.deliver(shipped)
    # What comes later changes nothing of what is told of then.
    await merchant.attest(source, agreement_version="2027-01", attested_by="Successor")

    told = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions")

    latest, first = told["latest"], told["history"][0]
    assert [(p["source_name"], p["quantity"]) for p in latest["plan"]] == [("Nordlager", 2)]
    assert latest["agreement"] == "Amazon Services Business Solutions Agreement"
    (attested,) = latest["attestations"]
    assert {
        name: attested[name] for name in ("version", "action", "by_whom", "agreement_version", "document_hash")
    } == {
        "version": 1,
        "action": "given",
        "by_whom": "Head of compliance",
        "agreement_version": "2026-01",
        "document_hash": "b" * 64,
    }
    assert attested["recorded_at"] <= latest["decided_at"]
    assert [(a["version"], a["action"]) for a in first["attestations"]] == [(0, "never")]
    (reservation,) = told["reservations"]
    assert (reservation["state"], reservation["shipment_id"], reservation["source_name"]) == (
        "shipped",
        str(shipped.shipment_id),
        "Nordlager",
    )
    assert (told["channel_id"], told["shipping_policy"]) == (str(channel), "Standard")


@pytest.mark.row("D2")
@pytest.mark.row("D6")
async def test_what_left_without_an_attestation_in_force_is_named_planned_or_not(merchant: Merchant) -> None:
    planned = await merchant.source("Planned", {"A": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 3}))
    # Nobody asked these two, and the decision has not even seen them.
    bare = await merchant.source("Bare", attested=False)
    withdrawn = await merchant.source("Withdrawn")
    await merchant.withdraw_attestation(withdrawn)
    for source in (planned, bare, withdrawn):
        await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A", 1)], source_id=source, decision_version=None))
    # What comes later changes nothing of what is told of then.
    for source in (bare, withdrawn):
        await merchant.attest(source)
    await merchant.withdraw_attestation(planned)
    await merchant.call("PATCH", f"/v1/sources/{bare}", json={"name": "Renamed"})

    told = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions")

    def named(shipped: Any) -> tuple[str, int, str, bool]:
        then = shipped["attestation"]
        return then["source_name"], then["version"], then["action"], shipped["without_attestation"]

    assert [named(shipped) for shipped in told["shipped"]] == [
        ("Planned", 1, "given", False),
        ("Renamed", 0, "never", True),
        ("Withdrawn", 2, "withdrawn", True),
    ]
    assert {shipped["agreement"] for shipped in told["shipped"]} == {told["latest"]["agreement"]}
    assert {r["source_name"] for r in told["reservations"]} == {"Planned", "Renamed", "Withdrawn"}


@pytest.mark.row("D3")
@pytest.mark.row("D6")
async def test_what_left_once_an_attestation_had_run_out_is_named_where_the_agreement_binds(
    merchant: Merchant,
) -> None:
    source = await merchant.source("One", {"A": 5}, attested=False)
    await merchant.attest(source, expires_at=(clock.now() + timedelta(hours=1)).isoformat())
    await merchant.deliver(merchant.order("O-1", {"A": 1}), merchant.order("W-1", {"A": 1}, channel_type="webshop"))
    clock.set_ahead(timedelta(hours=2))
    try:
        for order_id in ("O-1", "W-1"):
            shipped = merchant.shipped(order_id, [(f"{order_id}-0", "A", 1)], source_id=source, decision_version=1)
            await merchant.deliver(shipped)
    finally:
        clock.set_ahead(timedelta(0))

    amazon = (await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions"))["shipped"]
    webshop = (await merchant.call("GET", "/v1/sellers/A1SELLER/orders/W-1/decisions"))["shipped"]

    assert [(s["attestation"]["action"], s["without_attestation"]) for s in amazon] == [("given", True)]
    assert [(s["agreement"], s["without_attestation"]) for s in webshop] == [(None, False)]


@pytest.mark.row("D4")
@pytest.mark.parametrize("table", ["routing_decision", "sources_snapshot"])
async def test_the_database_refuses_to_rewrite_decisions(merchant: Merchant, running: Running, table: str) -> None:
    await merchant.deliver(merchant.order("O-1", {"A": 2}))
    for statement in (f"update {table} set account_id = account_id", f"delete from {table}", f"truncate {table}"):
        with pytest.raises(DBAPIError, match=f"{table} is append-only"):
            async with running.runtime.db.transaction() as session:
                await run(session, statement)


async def test_decisions_that_saw_the_same_sources_share_one_snapshot(merchant: Merchant) -> None:
    await merchant.source("One", {"A": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 1}), merchant.order("O-2", {"A": 1}))
    await merchant.deliver(merchant.order("O-3", {"A": 1}))

    told = [
        (await merchant.call("GET", f"/v1/sellers/A1SELLER/orders/O-{n}/decisions"))["latest"]["sources"]
        for n in (1, 2, 3)
    ]

    assert told[0] == told[1] == told[2]
    assert [source["name"] for source in told[0]] == ["One"]


@pytest.mark.edge(22)
async def test_another_accounts_decision_does_not_exist(new_merchant: Callable[[], Merchant]) -> None:
    merchant, other = new_merchant(), new_merchant()
    await merchant.deliver(merchant.order("O-1", {"A": 1}))
    await other.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions", expect=404)


async def test_an_order_id_that_cannot_be_stored_is_refused(merchant: Merchant) -> None:
    await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O%001/decisions", expect=400)


async def test_two_sellers_with_one_order_id_are_told_apart(merchant: Merchant) -> None:
    await merchant.deliver(
        merchant.order("O-1", {"A": 1}), merchant.order("O-1", {"A": 1}, selling_partner_id="A2OTHER")
    )
    for seller in ("A1SELLER", "A2OTHER"):
        answer = await merchant.call("GET", f"/v1/sellers/{seller}/orders/O-1/decisions")
        assert answer["selling_partner_id"] == seller


@pytest.mark.row("D4")
async def test_a_channel_routes_only_to_the_sources_of_its_group(merchant: Merchant, channel: UUID) -> None:
    await merchant.source("Cheap", {"A": 5}, cost="1.00")
    member = await merchant.source("Member", {"A": 5}, cost="9.00")
    group = {"source_ids": [str(member)], "priorities": ["source_priority"], "allow_split": False}

    await merchant.call("PUT", f"/v1/channels/{channel}/routing-group", json=group)
    await merchant.deliver(merchant.order("O-1", {"A": 1}, channel_id=channel))

    stored = await merchant.call("GET", f"/v1/channels/{channel}/routing-group")
    assert stored == {"channel_id": str(channel)} | group
    (decision,) = await merchant.decisions()
    assert isinstance(decision, OrderRouted)
    assert [a.source_id for a in decision.allocations] == [member]
    told = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions")
    assert {r["source_name"]: r["code"] for r in told["latest"]["rejected"]} == {"Cheap": "not_in_group"}


@pytest.mark.row("D4")
async def test_unknown_rules_and_sources_are_refused_with_what_is_known(merchant: Merchant, channel: UUID) -> None:
    path = f"/v1/channels/{channel}/routing-group"

    rule = await merchant.call("PUT", path, expect=400, json={"priorities": ["nearest", "lowest_cost"]})
    twice = await merchant.call("PUT", path, expect=400, json={"priorities": ["lowest_cost", "lowest_cost"]})
    source = await merchant.call("PUT", path, expect=400, json={"source_ids": [str(uuid4())]})

    assert rule["type"] == "/problems/unknown-routing-rule"
    assert "nearest" in rule["detail"]
    for known in (
        "shipping_policy_supported",
        "single_fulfilment_required",
        "single_fulfilment",
        "lowest_cost",
        "source_priority",
    ):
        assert known in rule["fix"]
    assert twice["type"] == "/problems/routing-rule-repeated"
    assert source["type"] == "/problems/unknown-source"


async def test_a_channel_without_a_group_has_the_default_one(merchant: Merchant, channel: UUID) -> None:
    group = await merchant.call("GET", f"/v1/channels/{channel}/routing-group")
    assert (group["source_ids"], group["allow_split"]) == ([], True)
    assert "lowest_cost" in group["priorities"]


@pytest.mark.edge(22)
@pytest.mark.fault("F8")
async def test_channels_are_those_of_the_connections_newest_version(new_merchant: Callable[[], Merchant]) -> None:
    merchant, other = new_merchant(), new_merchant()
    connection, kept, deleted = uuid4(), uuid4(), uuid4()
    await merchant.deliver(merchant.connection(kept, version=2, connection_id=connection))
    await merchant.deliver(merchant.connection(kept, deleted, version=1, connection_id=connection))
    await other.deliver(other.connection(kept, version=9, connection_id=connection))

    await merchant.call("GET", f"/v1/channels/{kept}/routing-group")
    await merchant.call("GET", f"/v1/channels/{deleted}/routing-group", expect=404)
    await other.call("GET", f"/v1/channels/{kept}/routing-group", expect=404)


@pytest.mark.row("D4")
async def test_a_source_that_does_not_support_the_shipping_policy_is_passed_over(merchant: Merchant) -> None:
    await merchant.source("Slow", {"A": 5}, cost="1.00", shipping_policies=["Economy"])
    fast = await merchant.source("Fast", {"A": 5}, cost="9.00", shipping_policies=["Standard"])

    await merchant.deliver(merchant.order("O-1", {"A": 1}))

    (decision,) = await merchant.decisions()
    assert isinstance(decision, OrderRouted)
    assert [a.source_id for a in decision.allocations] == [fast]
