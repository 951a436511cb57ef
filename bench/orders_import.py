"""P3 and P4: orders imported end to end by the real Get Orders, four sellers at a time, beside the best parts alone.

The best parts are bare aiohttp, msgspec, AES-GCM and asyncpg `unnest`; they leave the same rows in the same tables.
Each variant runs in a process of its own on CPU 0, the page server on CPU 1; rounds are interleaved, medians count.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import uvloop

SELLERS = 4
PAGES = 20  # of each seller
ORDERS = 100  # of each page
LINES = 4
ROUNDS = 5
US = "ATVPDKIKX0DER"
TABLES = ("order_line", "order_key", "orders", "outbox", "unimported_order", "import_cursor", "operation_run")

Rate = dict[str, float]


async def run(database_url: str) -> list[dict[str, Any]]:
    """The rows of P3 and P4: `{goal, what, value, ceiling, ratio, target, met}`, values in orders a second."""
    measured: dict[str, list[Rate]] = {"best": [], "ours": []}
    async with _server() as base:
        for _ in range(ROUNDS):
            for variant, rates in measured.items():
                rates.append(await _in_process(variant, base, database_url))
    best, ours = ([rate["imported"] for rate in measured[name]] for name in ("best", "ours"))
    new, replayed = ([rate[name] for rate in measured["ours"]] for name in ("stored", "replayed"))
    return [
        _row("P3", "orders/s imported end to end, beside the best parts", ours, best, 0.80),
        _row("P4", "orders/s of stored pages replayed, beside new ones", replayed, new, 5.0),
    ]


def _row(goal: str, what: str, values: list[float], ceilings: list[float], target: float) -> dict[str, Any]:
    """Compares round by round: the machine's speed drifts between rounds, less within one."""
    ratio = statistics.median(value / ceiling for value, ceiling in zip(values, ceilings, strict=True))
    return {
        "goal": goal,
        "what": what,
        "value": round(statistics.median(values), 1),
        "ceiling": round(statistics.median(ceilings), 1),
        "ratio": round(ratio, 3),
        "target": target,
        "met": ratio >= target,
    }


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, "serve", stdout=subprocess.PIPE)
    try:
        os.sched_setaffinity(server.pid, {max(os.sched_getaffinity(0))})
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(await server.stdout.readline())}"
    finally:
        server.terminate()
        await server.wait()


async def _in_process(variant: str, base: str, database_url: str) -> Rate:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, variant, base, database_url, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{variant} failed")
    rate: Rate = json.loads(out.decode().splitlines()[-1])
    return rate


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    """Orders a second of four sellers' pages."""
    started = time.perf_counter()
    await work()
    return SELLERS * PAGES * ORDERS / (time.perf_counter() - started)


# -- the page server ---------------------------------------------------------------------------------------------------


def _page_template() -> bytes:
    """One page of Amazon's; `@@@@@@` stands for the page's number."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    return json.dumps(
        {
            "orders": [_order(number, now) for number in range(ORDERS)],
            "lastUpdatedBefore": now,
            "pagination": {"nextToken": "@@NEXT"},
        },
        separators=(",", ":"),
    ).encode()


def _order(number: int, now: str) -> dict[str, Any]:
    money = {"amount": "19.99", "currencyCode": "USD"}
    return {
        "orderId": f"113-{number:07}-@@PAGE",
        "orderAliases": [{"aliasId": f"S-{number}", "aliasType": "SELLER_ORDER_ID"}],
        "createdTime": now,
        "lastUpdatedTime": now,
        "programs": ["PRIME"],
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": US, "marketplaceName": "Amazon.com"},
        "buyer": {"buyerName": "Canary Buyer", "buyerEmail": "canary@marketplace.example"},
        "recipient": {
            "deliveryAddress": {
                "name": "Canary Buyer",
                "addressLine1": "1 Canary Street",
                "city": "Seattle",
                "stateOrRegion": "WA",
                "postalCode": "98101",
                "countryCode": "US",
                "phone": "+1 206 555 0100",
            }
        },
        "proceeds": {"grandTotal": {"amount": "79.96", "currencyCode": "USD"}},
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "shipByWindow": {"earliestDateTime": now, "latestDateTime": now},
        },
        "orderItems": [
            {
                "orderItemId": f"{number:08}{line}",
                "quantityOrdered": 1,
                "product": {
                    "asin": "B000000001",
                    "title": "A mug with a handle, glazed by hand",
                    "sellerSku": f"SKU-{number}-{line}",
                    "price": {"unitPrice": money},
                },
                "proceeds": {"proceedsTotal": money, "breakdowns": [{"type": "ITEM", "subtotal": money}]},
                "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 1},
            }
            for line in range(LINES)
        ],
    }


async def _serve() -> None:
    template = _page_template()

    class Pages(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only

        def data_received(self, data: bytes) -> None:
            _, found, tail = data.partition(b"paginationToken=")
            page = int(tail[:6]) if found else 0
            after = b"%06d" % (page + 1) if page + 1 < PAGES else b""
            body = template.replace(b"@@PAGE", b"%06d" % page).replace(b"@@NEXT", after)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-amzn-ratelimit-limit: 50.0\r\n"
                b"content-length: %d\r\n\r\n%s" % (len(body), body)
            )

    server = await asyncio.get_running_loop().create_server(Pages, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# -- ours: the runner of get_orders, with everything on ----------------------------------------------------------------


class _Token:
    async def get(self, _seller: object) -> str:
        return "token"

    async def refused(self, _seller: object, token: str) -> str:
        return token


async def _ours(base: str, database_url: str) -> Rate:
    from common import http
    from common.amazon.client import AmazonClient, Seller
    from common.amazon.limits import Limits
    from common.amazon.orders import OrdersPage, search_orders
    from common.bulk import run as run_sql
    from common.crypto import KeyRing
    from common.db import Database
    from common.jobs import Work
    from orders_service.getting import GetOrders
    from orders_service.importing import store_page

    database = Database(database_url, service="orders")
    http_client = http.client()
    ring = KeyRing({"bench": b"k" * 32})
    amazon = AmazonClient(
        http_client, _Token(), Limits(database.engine, "orders"), app_ids={"NA": "bench"}, endpoints={"NA": base}
    )
    account_id = uuid4()
    mappings = json.dumps([{"policy": "Standard", "service_level": "STANDARD"}])

    async def connected(number: int) -> Work:
        """A connection with a mapped channel, and its claimed run."""
        work = Work(uuid4(), account_id, uuid4(), None, "get_orders", {}, {}, uuid4())
        async with database.transaction() as session:
            await run_sql(
                session,
                "insert into connection (id, account_id, version, status, selling_partner_id, region) "
                "values ($1, $2, 1, 'active', $3, 'NA')",
                *(work.connection_id, account_id, f"SELLER{number}"),
            )
            await run_sql(
                session,
                "insert into channel (id, account_id, connection_id, name, marketplace_id, paused, deleted, statuses, "
                "created_within_days, acknowledge, shipping_mappings) "
                "values ($1, $2, $3, 'US', $4, false, false, '[\"UNSHIPPED\"]', 30, false, $5)",
                *(uuid4(), account_id, work.connection_id, US, mappings),
            )
            await run_sql(
                session,
                "insert into operation_run (id, account_id, connection_id, operation, requested_by, status, "
                "parameters, cursor, counts, errors, progress, attempts, token, due_at, created_at) "
                "values ($1, $2, $3, 'get_orders', 'bench', 'running', '{}', '{}', '{}', '[]', 0, 1, $4, now(), now())",
                *(work.id, account_id, work.connection_id, work.token),
            )
        return work

    runner = GetOrders(database, amazon, ring)
    imported = 0.0
    for _ in range(2):  # the first time warms up: connections, prepared statements
        await _clear(database_url)
        works = [await connected(number) for number in range(SELLERS)]
        imported = await _timed(lambda works=works: asyncio.gather(*(runner(work) for work in works)))  # type: ignore[misc]
        await _check(database_url)
    await _clear(database_url)

    seller = Seller(account_id, works[0].connection_id, "SELLER0", "NA")
    pages: list[OrdersPage] = []
    while not pages or pages[-1].next_token:
        token = pages[-1].next_token if pages else None
        pages.append(await search_orders(amazon, seller, created_after=datetime.now(UTC), pagination_token=token))

    async def store(work: Work, number: int) -> None:
        for page in pages:
            async with database.transaction() as session:
                seller = Seller(account_id, work.connection_id, f"SELLER{number}", "NA")
                await store_page(session, ring, seller, page.orders)

    def store_all() -> Awaitable[object]:
        return asyncio.gather(*(store(work, number) for number, work in enumerate(works)))

    stored = await _timed(store_all)
    events = await _events(database_url)
    replayed = await _timed(store_all)
    assert await _events(database_url) == events, "a replay must announce nothing"
    await http_client.aclose()
    await database.close()
    return {"imported": imported, "stored": stored, "replayed": replayed}


# -- the best parts alone, leaving the same rows -----------------------------------------------------------------------


async def _best(base: str, database_url: str) -> Rate:
    import aiohttp
    import asyncpg
    import msgspec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from common.amazon.order import Order

    class Pagination(msgspec.Struct, rename="camel"):
        next_token: str

    class Page(msgspec.Struct, rename="camel"):
        orders: list[Order]
        pagination: Pagination

    decode = msgspec.json.Decoder(Page).decode
    encode = msgspec.json.Encoder(enc_hook=str).encode
    wrapping = AESGCM(b"k" * 32)
    account_id, channel_id = uuid4(), uuid4()
    now = datetime.now(UTC)

    def rows_of(order: Order, connection_id: UUID, seller: str) -> tuple[Any, list[Any], Any, Any]:
        order_id = uuid4()
        key, nonce = os.urandom(32), os.urandom(12)
        sealed = nonce + AESGCM(key).encrypt(nonce, encode((order.buyer, order.recipient)), order_id.bytes)
        nonce = os.urandom(12)
        wrapped = nonce + wrapping.encrypt(nonce, key, order_id.bytes)
        fulfillment, recipient, proceeds = order.fulfillment, order.recipient, order.proceeds
        assert fulfillment
        assert fulfillment.ship_by_window
        assert recipient
        assert recipient.delivery_address
        assert proceeds
        assert proceeds.grand_total
        address, total = recipient.delivery_address, proceeds.grand_total
        row = (
            *(order_id, account_id, connection_id, channel_id, seller, order.order_id, US),
            *(fulfillment.fulfillment_status, fulfillment.fulfilled_by, fulfillment.fulfillment_service_level),
            *(order.created_time, order.last_updated_time, fulfillment.ship_by_window.latest_date_time),
            *(address.state_or_region, address.country_code, total.currency_code, total.amount, None),
            *("Standard", "[]", 1, sealed, now),
        )
        lines, told = [], []
        for position, item in enumerate(order.order_items):
            assert item.product.price
            assert item.product.price.unit_price
            price = item.product.price.unit_price.amount
            product = item.product
            lines.append(
                (
                    *(order_id, item.order_item_id, account_id, position, product.seller_sku, product.asin),
                    *(product.title, item.quantity_ordered, 0, price, False, False),
                )
            )
            told.append(
                {"id": item.order_item_id, "sku": product.seller_sku, "quantity": 1, "price": price, "currency": "USD"}
            )
        event = {
            "specversion": "1.0",
            "id": uuid4(),
            "type": "OrderImported",
            "time": now,
            "data": {"account_id": account_id, "order": order.order_id, "status": "UNSHIPPED", "lines": told},
        }
        return row, lines, (order_id, account_id, wrapped), ("entrepot.orders", order.order_id, encode(event))

    pool = await asyncpg.create_pool(database_url, min_size=SELLERS, max_size=SELLERS)

    async def import_seller(session: aiohttp.ClientSession, number: int) -> None:
        connection_id, seller, token = uuid4(), f"SELLER{number}", ""
        while True:
            async with session.get(f"{base}/orders", params={"paginationToken": token} if token else None) as answer:
                page = decode(await answer.read())
            rows = [rows_of(order, connection_id, seller) for order in page.orders]
            async with pool.acquire() as connection, connection.transaction():
                await connection.fetch(_INSERT_ORDERS, *map(list, zip(*[row[0] for row in rows], strict=True)))
                lines = [line for row in rows for line in row[1]]
                await connection.execute(_INSERT_LINES, *map(list, zip(*lines, strict=True)))
                await connection.execute(_INSERT_KEYS, *map(list, zip(*[row[2] for row in rows], strict=True)))
                await connection.execute(_INSERT_EVENTS, *map(list, zip(*[row[3] for row in rows], strict=True)))
            token = page.pagination.next_token
            if not token:
                return

    async with aiohttp.ClientSession() as session:
        imported = 0.0
        for _ in range(2):
            await _clear(database_url)
            imported = await _timed(
                lambda: asyncio.gather(*(import_seller(session, number) for number in range(SELLERS)))
            )
    await pool.close()
    await _check(database_url)
    return {"imported": imported}


_INSERT_ORDERS = """
    insert into orders (id, account_id, connection_id, channel_id, selling_partner_id, amazon_order_id, marketplace_id,
        status, fulfilled_by, service_level, purchased_at, last_updated_at, ship_by, region, country, currency, total,
        replaces, shipping_policy, holds, version, personal_data, imported_at)
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[],
        $16::text[], $17::numeric[], $18::text[], $19::text[], $20::jsonb[], $21::int[], $22::bytea[],
        $23::timestamptz[])
    on conflict (account_id, selling_partner_id, amazon_order_id) do nothing returning id
"""
_INSERT_LINES = """
    insert into order_line (order_id, order_item_id, account_id, position, sku, asin, title, quantity,
        quantity_fulfilled, unit_price, cancelled, cancel_requested)
    select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::int[],
        $9::int[], $10::numeric[], $11::boolean[], $12::boolean[])
"""
_INSERT_KEYS = """
    insert into order_key (order_id, account_id, wrapped) select * from unnest($1::uuid[], $2::uuid[], $3::bytea[])
"""
_INSERT_EVENTS = """
    insert into outbox (topic, key, message) select * from unnest($1::text[], $2::text[], $3::bytea[])
"""


async def _sql(database_url: str, statement: str) -> Any:
    import asyncpg

    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def _clear(database_url: str) -> None:
    """Empty tables; the claimed runs stay, their workers are not done."""
    await _sql(database_url, f"truncate {', '.join(TABLES[:-1])} cascade")


async def _events(database_url: str) -> int:
    count: int = (await _sql(database_url, "select count(*) from outbox"))[0][0]
    return count


async def _check(database_url: str) -> None:
    """Both variants must have left the same rows."""
    wanted = SELLERS * PAGES * ORDERS
    counted = (
        "select (select count(*) from orders), (select count(*) from order_line), (select count(*) from order_key)"
    )
    assert tuple((await _sql(database_url, counted))[0]) == (wanted, wanted * LINES, wanted)
    assert await _events(database_url) == wanted


async def _measure(variant: str, base: str, database_url: str) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    await _sql(database_url, f"truncate {', '.join((*TABLES, 'connection', 'channel'))} cascade")
    print(json.dumps(await {"ours": _ours, "best": _best}[variant](base, database_url)), flush=True)


if __name__ == "__main__":
    # Run as a script, its own folder would hide the standard library's modules behind the benches' names.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    uvloop.run(_serve() if sys.argv[1] == "serve" else _measure(*sys.argv[1:]))
