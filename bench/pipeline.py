"""The whole pipeline over real processes: 5,000 orders of 4 lines from Amazon's pages to released requests in orders.

Beside it, in the same run: bare asyncpg writing the very rows that the pipeline left in both databases, a transaction
per 100 orders. Amazon's limits are lifted; the local Amazon, both services and the broker share the two cores."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg

from local_stack.demo.hands import Amazon, Merchant, until
from local_stack.services import SERVICES, run_command
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack

ORDERS = 5_000
LINES = 4
SKUS = 400
PAGE = 100
SELLER, US = "A1PIPELINE", "ATVPDKIKX0DER"
# What the pipeline writes per order, by database.
TABLES = {
    "orders": ("orders", "order_line", "order_key", "fulfillment_request", "inbox"),
    "compliance": ("routed_order", "routing_decision", "stock_reservation", "inbox"),
}


async def run(_: str) -> list[dict[str, Any]]:
    """One row: orders a second from the start of Get Orders to the last released request."""
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")}
    # A process of its own, since a stack is started outside any event loop.
    measured = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.pipeline"), env=own, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    output, _nothing = await measured.communicate()
    value, ceiling = json.loads(output)
    what = f"pipeline, orders/s ({ORDERS} orders of {LINES} lines) beside bare asyncpg writing the same rows"
    row = {"goal": "pipeline", "what": what, "value": value, "ceiling": ceiling, "ratio": value / ceiling}
    return [row | {"target": None, "met": None}]


def measure() -> tuple[float, float]:
    """Orders a second: through the pipeline, and written bare."""
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as state:
        overrides = {"GET_ORDERS_EVERY_SECONDS": "86400", "DATABASE_POOL_SIZE": "8"}
        stack = Stack(Path(state), dict(os.environ), overrides=overrides)
        try:
            start_stack((*INFRASTRUCTURE, *SERVICES), stack, lambda _: None)
            seconds = asyncio.run(_import(stack))
            bare = asyncio.run(_bare(stack))
        finally:
            stack.supervisor.stop()
    return ORDERS / seconds, ORDERS / bare


async def _import(stack: Stack) -> float:
    account = json.loads(run_command(stack, "auth", "create-account", "Bench", "--json"))
    merchant, amazon = Merchant(stack.addresses, account["key"]), Amazon(stack.addresses["sandbox"])
    orders_db = await asyncpg.connect(stack.environment["ORDERS_DATABASE_URL"])
    try:
        await merchant.sign_in()
        connection = await _prepare(merchant, amazon)
        began = time.perf_counter()
        body = {"operation": "get_orders", "connection_id": connection}
        await merchant.call("orders", "POST", "/v1/operations", body)

        async def released() -> bool:
            count = await orders_db.fetchval("select count(*) from fulfillment_request where status = 'released'")
            return bool(count >= ORDERS)

        await until(f"{ORDERS} released requests", released, within=240)
        return time.perf_counter() - began
    finally:
        await orders_db.close()
        await merchant.close()
        await amazon.close()


async def _prepare(merchant: Merchant, amazon: Amazon) -> str:
    """A seller, a channel, a source that has everything, and the orders at Amazon; the connection's id."""
    # The allowance is so generous, and our own buckets learn it from Amazon's header, that nothing waits for it.
    settings = {"search_lag_s": 0, "quotas": {"enabled": True, "scale": 100_000}, "auto_consent": True}
    await amazon.dial("PUT", "/settings", settings)
    seller = {"selling_partner_id": SELLER, "region": "NA", "name": "Bench", "marketplaces": [US]}
    await amazon.dial("POST", "/sellers", seller)
    wanted = {"name": "Bench", "selling_partner_id": SELLER, "marketplace_id": US}
    pending = await merchant.call("auth", "POST", "/v1/connections", wanted)
    await merchant.visit(pending["consent_url"])
    channel = await merchant.call(
        "auth",
        "POST",
        "/v1/channels",
        {"name": "US", "connection_id": pending["id"], "marketplace_id": US, "seller_of_record": "Bench"},
    )

    async def mapped() -> bool:
        try:
            await merchant.call("orders", "POST", f"/v1/channels/{channel['id']}/shipping-mappings/defaults")
        except RuntimeError:
            return False
        return True

    await until("the channel in orders", mapped, within=30)
    source = await merchant.call("compliance", "POST", "/v1/sources", {"name": "All", "kind": "warehouse"})
    rows = [{"sku": f"SKU-{number:04}", "quantity": 1_000_000} for number in range(SKUS)]
    await merchant.call("compliance", "PUT", f"/v1/sources/{source['id']}/inventory", {"rows": rows})
    attestation = {"agreement_version": "2022-09-22", "attested_by": "bench"}
    await merchant.call("compliance", "PUT", f"/v1/sources/{source['id']}/attestation", attestation)
    lines = [
        [{"sku": f"SKU-{(number + 101 * line) % SKUS:04}", "quantity": 1, "unit_price": 9.99} for line in range(LINES)]
        for number in range(ORDERS)
    ]
    for start in range(0, ORDERS, 1000):
        orders = [{"lines": each} for each in lines[start : start + 1000]]
        placed = {"selling_partner_id": SELLER, "marketplace_id": US, "orders": orders}
        await amazon.dial("POST", "/orders", placed)
    return str(pending["id"])


async def _bare(stack: Stack) -> float:
    """Seconds to write the same rows again into empty copies of the tables, with their indexes."""
    seconds = 0.0
    for name, tables in TABLES.items():
        connection = await asyncpg.connect(stack.environment[f"{name.upper()}_DATABASE_URL"])
        rows: dict[str, list[Any]] = {}
        for table in tables:
            rows[table] = [tuple(row) for row in await connection.fetch(f"select * from {table}")]
            await connection.execute(f"create table bare_{table} (like {table} including all)")
        began = time.perf_counter()
        for start in range(0, ORDERS, PAGE):
            async with connection.transaction():
                for table in tables:
                    each = max(1, len(rows[table]) // (ORDERS // PAGE))
                    page = start // PAGE
                    chunk = rows[table][page * each : (page + 1) * each]
                    await connection.copy_records_to_table(f"bare_{table}", records=chunk)
        seconds += time.perf_counter() - began
        await connection.close()
    return seconds


if __name__ == "__main__":
    print(json.dumps(measure()))
