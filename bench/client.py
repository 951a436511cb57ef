"""P1: what our SP-API client costs per patchListingsItem, beside bare aiohttp and python-amazon-sp-api, in one run.

Each variant runs in a process of its own on CPU 0 against `_loopback.py` on CPU 1; rounds are interleaved and the
median counts. Ours has everything on: bucket leased from PostgreSQL (its quota lifted), retries, typed answers, errors.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

_HERE = Path(__file__).resolve().parent
_ROUNDS = 5
_SECONDS = 1.5
_VARIANTS = ("aiohttp@16", "ours@16", "ours@64", "python-amazon-sp-api@16")
_CLIENT_CPU, _SERVER_CPU = 0, 1

_PATCHES: list[dict[str, Any]] = [
    {
        "op": "replace",
        "path": "/attributes/fulfillment_availability",
        "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": 10}],
    },
    {
        "op": "replace",
        "path": "/attributes/purchasable_offer",
        "value": [
            {
                "marketplace_id": "ATVPDKIKX0DER",
                "audience": "ALL",
                "currency": "USD",
                "our_price": [{"schedule": [{"value_with_tax": 19.99}]}],
            }
        ],
    },
]
_BODY = {"productType": "PRODUCT", "patches": _PATCHES}

Call = Callable[[int], Awaitable[object]]


async def run(database_url: str) -> list[dict[str, Any]]:
    """The rows of P1: `{goal, what, value, ceiling, ratio, target, met}`; values are calls a second, medians."""
    measured: dict[str, list[float]] = {variant: [] for variant in _VARIANTS}
    server = await asyncio.create_subprocess_exec(sys.executable, _HERE / "_loopback.py", stdout=subprocess.PIPE)
    try:
        _pin(server.pid, _SERVER_CPU)
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(await server.stdout.readline())}"
        for _ in range(_ROUNDS):
            for variant, results in measured.items():
                results.append(await _measure_in_process(variant, base, database_url))
    finally:
        server.terminate()
        await server.wait()
    ours, aiohttp, peer = measured["ours@16"], measured["aiohttp@16"], measured["python-amazon-sp-api@16"]
    return [
        _row("patch calls/s at 16 in flight, beside aiohttp", ours, aiohttp, 0.25),
        # "Not less": runs of one and the same variant differ by 5 % here.
        _row("patch calls/s at 64 in flight, beside 16", measured["ours@64"], ours, 0.95),
        _row("patch calls/s, beside python-amazon-sp-api", ours, peer, 4.0),
    ]


def _row(what: str, values: list[float], ceilings: list[float], target: float) -> dict[str, Any]:
    """Compares round by round: the machine's speed drifts between rounds, less within one."""
    ratio = statistics.median(value / ceiling for value, ceiling in zip(values, ceilings, strict=True))
    return {
        "goal": "P1",
        "what": what,
        "value": round(statistics.median(values), 1),
        "ceiling": round(statistics.median(ceilings), 1),
        "ratio": round(ratio, 3),
        "target": target,
        "met": ratio >= target,
    }


async def _measure_in_process(variant: str, base: str, database_url: str) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, variant, base, database_url, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{variant} failed")
    return float(out.decode().splitlines()[-1])


async def _measure(variant: str, base: str, database_url: str) -> float:
    name, _, in_flight = variant.partition("@")
    concurrency = int(in_flight)
    async with AsyncExitStack() as stack:
        call = await _FACTORIES[name](base, database_url, stack)
        await asyncio.gather(*(call(number) for number in range(concurrency)))
        started = time.perf_counter()
        ends = started + _SECONDS
        done = 0

        async def caller(first: int) -> None:
            nonlocal done
            number = first
            while time.perf_counter() < ends:
                await call(number)
                done += 1
                number += concurrency

        await asyncio.gather(*(caller(first) for first in range(concurrency)))
        return done / (time.perf_counter() - started)


async def _ours(base: str, database_url: str, stack: AsyncExitStack) -> Call:
    from common import http
    from common.amazon import limits
    from common.amazon.access import Seller
    from common.amazon.client import AmazonClient, encode
    from common.amazon.listing import Submission
    from common.amazon.operations import PATCH_LISTINGS_ITEM
    from common.database_url import engine_of

    engine = engine_of(database_url, application_name="bench")
    stack.push_async_callback(engine.dispose)
    async with engine.begin() as connection:
        await connection.run_sync(limits.metadata.create_all)
    client = AmazonClient(
        await stack.enter_async_context(http.client()),
        _OneToken(),
        limits.Limits(engine, "listings"),
        app_ids={"NA": f"bench-{uuid.uuid4()}"},
        endpoints={"NA": base},
    )
    lifted = replace(PATCH_LISTINGS_ITEM, rate=1_000_000, burst=1_000_000, application_rate=1_000_000)
    seller = Seller(uuid.uuid4(), uuid.uuid4(), "A1SELLER", "NA")

    async def call(number: int) -> Submission:
        return await client.call(
            lifted,
            seller,
            path={"sellerId": "A1SELLER", "sku": f"SKU-{number}"},
            query={"marketplaceIds": "ATVPDKIKX0DER"},
            body=encode(_BODY),
            into=Submission,
        )

    return call


class _OneToken:
    async def get(self, seller: object) -> str:
        return "Atza|loopback"

    async def refused(self, seller: object, token: str) -> str:
        return token


async def _aiohttp(base: str, _: str, stack: AsyncExitStack) -> Call:
    import aiohttp
    import orjson

    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)))
    headers = {"x-amz-access-token": "Atza|loopback", "user-agent": "bench", "content-type": "application/json"}

    async def call(number: int) -> object:
        async with session.patch(
            f"{base}/listings/2021-08-01/items/A1SELLER/SKU-{number}",
            params={"marketplaceIds": "ATVPDKIKX0DER"},
            data=orjson.dumps(_BODY),
            headers=headers,
        ) as answer:
            return orjson.loads(await answer.read())

    return call


async def _python_amazon_sp_api(base: str, _: str, stack: AsyncExitStack) -> Call:
    from sp_api.asyncio.api import ListingsItemsV20210801

    credentials = {"refresh_token": "Atzr|x", "lwa_app_id": "amzn1.app", "lwa_client_secret": "s"}
    peer = ListingsItemsV20210801(credentials=credentials, restricted_data_token="x")
    peer.endpoint = base

    async def call(number: int) -> object:
        return await peer.patch_listings_item("A1SELLER", f"SKU-{number}", marketplaceIds=["ATVPDKIKX0DER"], body=_BODY)

    return call


_FACTORIES = {"ours": _ours, "aiohttp": _aiohttp, "python-amazon-sp-api": _python_amazon_sp_api}


def _pin(pid: int, cpu: int) -> None:
    if cpu in os.sched_getaffinity(pid):
        os.sched_setaffinity(pid, {cpu})


def main() -> None:
    """`client.py VARIANT BASE_URL DATABASE_URL` measures one variant; `client.py DATABASE_URL` prints all rows."""
    if len(sys.argv) == 2:
        for row in asyncio.run(run(sys.argv[1])):
            print(json.dumps(row))
        return
    _pin(0, _CLIENT_CPU)
    print(uvloop.run(_measure(*sys.argv[1:4])))


if __name__ == "__main__":
    main()
