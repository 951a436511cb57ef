"""A buyer's data is sealed from the first row on, and nowhere else."""

import json

import pytest
import structlog
from structlog.testing import capture_logs

from common.contracts.event import Event
from common.testing.events import published
from orders_service.testing import Shop

CANARY = "Canary"


@pytest.mark.row("C9")
async def test_the_recipient_is_read_with_its_own_scope_and_every_reading_is_recorded(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({"gift_message": "Canary greetings"})
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    path = f"/v1/orders/{order['id']}/recipient"
    assert (await shop.request("GET", path)).status_code == 403
    assert await shop.sql("select 1 from recipient_access") == []
    answer = (await shop.service.http.get(path, headers=shop.pii_headers)).json()
    assert answer["delivery_address"]["name"].startswith(CANARY)
    assert answer["buyer"]["buyer_name"].startswith(CANARY)
    assert answer["items"][0]["gift_option"]["gift_message"] == "Canary greetings"
    ((read_order, subject),) = await shop.sql("select order_id, subject from recipient_access")
    assert (str(read_order), subject) == (order["id"], "tester")


@pytest.mark.row("C9")
@pytest.mark.fault("F23")
async def test_no_canary_is_in_logs_events_answers_or_any_column(shop: Shop) -> None:
    with capture_logs(processors=[structlog.processors.format_exc_info]) as logs:
        first, second = await shop.place({"gift_message": "Canary"}, {"gift_message": "Canary"})
        await shop.get_orders()
        await shop.amazon.dial("POST", "/sandbox/faults", {"operation": "searchOrders", "kind": "truncated"})
        await shop.get_orders()
        await shop.amazon.dial("POST", f"/sandbox/orders/{second}/request-cancel", {})
        # An order that breaks in the middle of its page's transaction is logged with where it broke.
        await shop.sql("alter table order_line add constraint broken check (not cancel_requested) not valid")
        await shop.get_orders()
        await shop.sql("alter table order_line drop constraint broken")
        await shop.sql("update operation_run set due_at = now() where status = 'queued'")
        await shop.service.runtime.worker().run_due()
        await shop.deliver(shop.shipped(first, method="UP Ground"), shop.shipped(second))
        await shop.sync_orders()
        answers = [await shop.call("GET", path) for path in ("/v1/orders", "/v1/operations", "/v1/shipments")]
    told = [entry["stack"] for entry in logs if entry["event"] == "item_set_aside"]
    assert told, "the broken order was to be logged"
    assert all("importing.py" in stack for stack in told)
    assert [order["status"] for order in await shop.orders()] == ["UNSHIPPED", "UNSHIPPED"]
    assert CANARY not in json.dumps([*logs, *answers], default=str)
    events: list[Event] = list(await published(shop.service.runtime.db))
    assert len(events) >= 4
    assert CANARY not in "".join(event.model_dump_json() for event in events)
    assert await tables_with(shop, CANARY) == []
    assert "orders" in await tables_with(shop, "MUG-1") + await tables_with(shop, first)


async def tables_with(shop: Shop, text: str) -> list[str]:
    """The tables with the text in any column, bytes included."""
    found = []
    for (table,) in await shop.sql(
        "select table_name::text from information_schema.tables where table_schema='public'"
    ):
        rows = await shop.sql(
            f'select 1 from "{table}" t where t::text ilike $1 or t::text ilike $2 limit 1',
            f"%{text}%",
            f"%{text.encode().hex()}%",
        )
        if rows:
            found.append(table)
    return found


@pytest.mark.row("C9")
async def test_a_destroyed_key_is_never_replaced_by_a_later_import(shop: Shop) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    await shop.sql("update order_key set wrapped = null, destroyed_at = now()")
    await shop.sql("update orders set personal_data = null")
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/request-cancel", {})
    assert (await shop.get_orders())["counts"] == {"changed": 1}
    assert await shop.sql("select wrapped, personal_data from order_key join orders on id = order_id") == [(None, None)]
    answer = await shop.service.http.get(f"/v1/orders/{order['id']}/recipient", headers=shop.pii_headers)
    assert answer.json()["type"] == "/problems/no-recipient"
