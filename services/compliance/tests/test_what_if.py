"""What would be decided now, or if something were different: answered without touching anything; and replays."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy.exc import DBAPIError

from common.bulk import run
from common.testing.plugin import Running
from compliance_service import replaying, supposing
from compliance_service.testing import BOUGHT, Merchant

TABLES = (
    "source",
    "attestation",
    "source_stock",
    "routed_order",
    "routing_decision",
    "sources_snapshot",
    "stock_reservation",
    "operation_run",
    "outbox",
    "routing_group",
)


async def everything(running: Running) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    async with running.runtime.db.transaction() as session:
        return {
            table: sorted(row[0] for row in await run(session, f"select t::text from {table} t")) for table in TABLES
        }


async def held_for_want_of(merchant: Merchant, *order_ids: str) -> UUID:
    """Held orders of two A each, which only an unattested source has (three of them)."""
    source = await merchant.source("Nordlager", {"A": 3}, attested=False)
    await merchant.deliver(*(merchant.order(order_id, {"A": 2}) for order_id in order_ids))
    return source


@pytest.mark.row("D6")
async def test_a_toggle_that_would_be_on_frees_whom_its_stock_suffices_for_and_nothing_is_touched(
    merchant: Merchant, running: Running
) -> None:
    source = await held_for_want_of(merchant, "O-1", "O-2")
    before = await everything(running)

    answer = await merchant.call(
        "POST", "/v1/what-if", json={"sources": [{"source_id": str(source), "compliant": True}]}
    )
    more_stock = await merchant.call(
        "POST",
        "/v1/what-if",
        json={
            "sources": [{"source_id": str(source), "compliant": True}],
            "stock": [{"source_id": str(source), "sku": "A", "available": 4}],
        },
    )
    nothing = await merchant.call("POST", "/v1/what-if", json={})

    assert (answer["orders"], answer["freed"], answer["more"]) == (2, 1, False)
    freed = next(d for d in answer["differences"] if d["then"]["outcome"] == "routed")
    assert (freed["amazon_order_id"], freed["now"]["code"]) == ("O-1", "none_compliant")
    assert [(p["source_name"], p["quantity"]) for p in freed["then"]["plan"]] == [("Nordlager", 2)]
    assert more_stock["freed"] == 2
    assert (nothing["orders"], nothing["changed"], nothing["differences"]) == (2, 0, [])
    assert await everything(running) == before


@pytest.mark.row("D6")
async def test_a_routed_order_is_decided_anew_with_its_own_promises_given_back(
    merchant: Merchant, running: Running
) -> None:
    ships = await merchant.source("Ships", {"A": 2}, priority=1)
    other = await merchant.source("Other", {"A": 2}, attested=False, priority=2)
    await merchant.deliver(merchant.order("O-1", {"A": 2}))
    before = await everything(running)
    path = "/v1/sellers/A1SELLER/orders/O-1/what-if"

    off = {"sources": [{"source_id": str(ships), "compliant": False}]}
    moved = {"sources": [*off["sources"], {"source_id": str(other), "compliant": True}]}
    same = await merchant.call("POST", path, json={})
    held = await merchant.call("POST", path, json=off)
    elsewhere = await merchant.call("POST", path, json=moved)
    rules = await merchant.call("POST", path, json={"routing_group": {"source_ids": [str(other)]}})

    assert (same["changed"], same["now"]["outcome"]) == (False, "routed")
    assert (held["changed"], held["then"]["outcome"], held["then"]["code"]) == (True, "held", "none_compliant")
    assert [p["source_name"] for p in elsewhere["then"]["plan"]] == ["Other"]
    assert rules["then"]["code"] == "none_compliant"
    assert await everything(running) == before


@pytest.mark.row("D6")
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"routing_group": {"priorities": ["nearest"]}}, "unknown-routing-rule"),
        ({"sources": [{"source_id": str(uuid4()), "compliant": True}]}, "unknown-source"),
        ({"stock": [{"source_id": str(uuid4()), "sku": "A", "available": -1}]}, "invalid-request"),
        ({"stock": [{"source_id": str(uuid4()), "sku": "A", "available": 1}]}, "unknown-source"),
        ({"suppose": "something"}, "invalid-request"),
    ],
)
async def test_a_supposition_that_cannot_be_is_refused(merchant: Merchant, body: dict[str, Any], problem: str) -> None:
    await held_for_want_of(merchant, "O-1")
    for path in ("/v1/what-if", "/v1/sellers/A1SELLER/orders/O-1/what-if"):
        answer = await merchant.call("POST", path, expect=400, json=body)
        assert answer["type"] == f"/problems/{problem}"


@pytest.mark.row("D6")
async def test_the_database_itself_refuses_a_write_while_something_is_supposed(running: Running) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        async with running.runtime.db.transaction() as session:
            await supposing.begin_reading(session)
            await run(session, "delete from source")


@pytest.mark.row("D6")
async def test_an_order_says_which_sources_may_ship_it_now(merchant: Merchant) -> None:
    await merchant.source("Attested", {"A": 5})
    await merchant.source("Bare", {"A": 5}, attested=False)
    await merchant.source("Dear", {"A": 5}, cost="9.00", priority=200)
    await merchant.source("Empty", {"B": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 1}), merchant.order("W-1", {"A": 1}, channel_type="webshop"))

    amazon = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/eligibility")
    webshop = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/W-1/eligibility")

    def told(answer: Any) -> dict[str, bool]:
        return {s["source_name"]: s["eligible"] for s in answer["sources"]}

    assert told(amazon) == {"Attested": True, "Bare": False, "Dear": True, "Empty": False}
    assert {s["source_name"]: s["code"] for s in amazon["sources"]}["Bare"] == "not_compliant"
    assert amazon["agreement"] == "Amazon Services Business Solutions Agreement"
    assert told(webshop)["Bare"] is True
    assert webshop["agreement"] is None


async def not_to_be_routed(merchant: Merchant) -> dict[str, str]:
    """Orders of one A each that nothing is decided of, with the code of why; a source has enough for them all."""
    source = await merchant.source("Ships", {"A": 9})
    await merchant.deliver(
        merchant.order("O-cancelled", {"A": 1}),
        merchant.order("O-amazon", {"A": 1}, fulfilled_by="AMAZON"),
        merchant.order("O-pending", {"A": 1}, status="PENDING", holds=("pending",)),
        merchant.order("O-hold", {"A": 1}, holds=("unmapped_shipping",)),
        merchant.order("O-shipped", {"A": 1}),
        merchant.order("O-closed", {"A": 1}, status="SHIPPED"),
    )
    await merchant.deliver(
        merchant.cancelled("O-cancelled", {"A": 1}, 2),
        merchant.shipped("O-shipped", [("O-shipped-0", "A", 1)], source_id=source, decision_version=1),
    )
    return {
        "O-cancelled": "order_closed",
        "O-amazon": "fulfilled_by_amazon",
        "O-pending": "order_not_released",
        "O-hold": "order_on_hold",
        "O-shipped": "nothing_to_ship",
        "O-closed": "order_closed",
    }


@pytest.mark.row("D6")
async def test_an_order_that_is_not_to_be_routed_says_so_and_names_no_source(merchant: Merchant) -> None:
    for order_id, code in (await not_to_be_routed(merchant)).items():
        answer = await merchant.call("GET", f"/v1/sellers/A1SELLER/orders/{order_id}/eligibility")
        assert (answer["outcome"], answer["code"], answer["sources"]) == ("not_routed", code, [])
        assert answer["detail"]


@pytest.mark.row("D6")
async def test_orders_that_are_not_to_be_routed_take_no_stock_and_are_not_freed_by_supposing(
    merchant: Merchant,
) -> None:
    codes = await not_to_be_routed(merchant)
    # Bought last, it finds what the others leave.
    wanting = merchant.order("O-wanting", {"B": 2}, purchased_at=BOUGHT + timedelta(days=1))
    source = await merchant.source("Nordlager", {"B": 2, "A": 0}, attested=False)
    on_hold = merchant.order("O-hold", {"B": 1}, version=2, holds=("unmapped_shipping",))
    await merchant.deliver(wanting, on_hold)
    body = {"sources": [{"source_id": str(source), "compliant": True}]}

    answer = await merchant.call("POST", "/v1/what-if", json=body | {"amazon_order_ids": [*codes, "O-wanting"]})
    alone = await merchant.call("POST", "/v1/what-if", json=body | {"amazon_order_ids": [*codes]})

    assert (answer["orders"], answer["changed"], answer["freed"]) == (7, 1, 1)
    assert [d["amazon_order_id"] for d in answer["differences"]] == ["O-wanting"]
    assert (alone["orders"], alone["changed"], alone["freed"]) == (6, 0, 0)
    for order_id, code in codes.items():
        told = await merchant.call("POST", f"/v1/sellers/A1SELLER/orders/{order_id}/what-if", json=body)
        assert (told["changed"], told["now"]["outcome"], told["then"]["code"]) == (False, "not_routed", code)


@pytest.mark.row("D6")
async def test_an_order_on_hold_keeps_what_it_is_promised_while_others_are_supposed_about(merchant: Merchant) -> None:
    await merchant.source("Ships", {"A": 1})
    await merchant.deliver(merchant.order("O-1", {"A": 1}))
    await merchant.deliver(
        merchant.changed("O-1", {"A": 1}, 2, holds=("cancel_requested",)), merchant.order("O-2", {"A": 1})
    )

    answer = await merchant.call("POST", "/v1/sellers/A1SELLER/orders/O-2/what-if", json={})
    both = await merchant.call("POST", "/v1/what-if", json={"amazon_order_ids": ["O-1", "O-2"]})

    assert (answer["now"]["outcome"], answer["now"]["code"]) == ("held", "none_in_stock")
    assert (both["orders"], both["changed"]) == (2, 0)


@pytest.mark.edge(22)
async def test_another_accounts_orders_are_not_supposed_about(new_merchant: Callable[[], Merchant]) -> None:
    merchant, other = new_merchant(), new_merchant()
    await held_for_want_of(merchant, "O-1")
    await other.call("POST", "/v1/sellers/A1SELLER/orders/O-1/what-if", expect=404, json={})
    await other.call("POST", "/v1/sellers/A1SELLER/orders/O-1/decisions/replay", expect=404)
    await other.call("GET", "/v1/sellers/A1SELLER/orders/O-1/eligibility", expect=404)
    assert (await other.call("POST", "/v1/what-if", json={"amazon_order_ids": ["O-1"]}))["orders"] == 0


@pytest.mark.row("D4")
async def test_every_stored_decision_is_taken_again_with_the_same_answer(merchant: Merchant, running: Running) -> None:
    source = await held_for_want_of(merchant, "O-1", "O-2")
    await merchant.attest(source)
    await merchant.run_jobs()

    answer = await merchant.call("POST", "/v1/sellers/A1SELLER/orders/O-1/decisions/replay")
    assert answer["same"] is True
    assert [d["decision_version"] for d in answer["decisions"]] == [2, 1]
    tally = await replaying.replay_all(running.runtime.db)
    assert (tally.same, tally.different) == (len(await merchant.decisions()), 0)
    assert (await replaying.replay_all(running.runtime.db, uuid4())).same == 0


@pytest.mark.row("D4")
async def test_a_decision_that_comes_out_differently_is_named_with_the_other_answer(
    merchant: Merchant, running: Running
) -> None:
    await held_for_want_of(merchant, "O-1")
    async with running.runtime.db.transaction() as session:
        (row,) = await run(session, "select inputs::text from routing_decision")
        inputs = msgspec.json.decode(row[0])
        inputs["order"]["purchased_at"] = "2022-09-21T00:00:00Z"
        # Past the trigger, as a hand in the database could.
        await run(session, "set local session_replication_role = replica")
        await run(session, "update routing_decision set inputs = $1", msgspec.json.encode(inputs).decode())

    answer = await merchant.call("POST", "/v1/sellers/A1SELLER/orders/O-1/decisions/replay")
    tally = await replaying.replay_all(running.runtime.db)

    assert answer["same"] is False
    assert answer["decisions"][0]["again"]["outcome"] == "routed"
    assert (tally.different, len(tally.named)) == (1, 1)


@pytest.mark.row("D4")
async def test_the_command_takes_every_decision_again_and_fails_when_one_differs(
    merchant: Merchant, running: Running
) -> None:
    await held_for_want_of(merchant, "O-1", "O-2")
    settings = running.runtime.settings
    environment = os.environ | {
        "ENVIRONMENT": "test",
        "DATABASE_URL": running.runtime.db.url,
        "AUTH_URL": str(settings.auth_url),
        "SERVICE_KEY": "none",
        "KEY_RING": settings.key_ring.get_secret_value(),
    }

    async def replay() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "compliance_service", "replay-decisions"),
            *("--account", str(merchant.account_id)),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    assert await replay() == (0, "2 decisions the same, 0 different\n")
    async with running.runtime.db.transaction() as session:
        await run(session, "set local session_replication_role = replica")
        await run(
            session,
            "update routing_decision set code = 'none_in_stock' where order_id in "
            "(select id from routed_order where amazon_order_id = 'O-2')",
        )
    code, said = await replay()
    assert code == 1
    assert "decision 1: differs" in said
    assert said.endswith("1 decisions the same, 1 different\n")
