"""E1: the local Amazon with a big world, beside a bare Starlette route that returns the same bytes.

Each server runs alone on CPU 0, the load on CPU 1: 32 connections, each with one request in flight."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from amazon_sandbox.testing import LocalAmazon, SellingPartner
from bench.http_get import load
from common.testing.plugin import serve

ROUNDS = 3
LISTINGS, ORDERS = 100_000, 50_000
MOST_MIB = 400
MOST_SECONDS = 10
_US = "ATVPDKIKX0DER"
_DATA = "summaries,attributes,issues,offers,fulfillmentAvailability"
_ORDER_DATA = "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT,PACKAGES"
_CALLS = {
    "getListingsItem": f"/listings/2021-08-01/items/A1BENCH/SKU-000042?marketplaceIds={_US}&includedData={_DATA}",
    "searchOrders, 100 a page": f"/orders/2026-01-01/orders?createdAfter=2020-01-01&includedData={_ORDER_DATA}",
}


async def run(_database_url: str) -> list[dict[str, Any]]:
    """Rates are medians of interleaved rounds; the world stays the same all along.

    The whole book is paged before: the memory is that of a server which has shown every order.
    """
    measured: dict[tuple[str, str], list[float]] = {}
    amazon = ("-m", "amazon_sandbox", "--no-quotas", *(f"--{name}port=0" for name in ("", "na-", "eu-", "fe-")))
    async with _server(*amazon) as (said, process):
        urls = json.loads(said)
        seller, taken = await asyncio.to_thread(_fill, urls)
        cold, warm = [await asyncio.to_thread(_page_book, seller, psutil.Process(process.pid)) for _ in range(2)]
        bodies = {name: await asyncio.to_thread(_body, seller, path) for name, path in _CALLS.items()}
        for _ in range(ROUNDS):
            for name, path in _CALLS.items():
                token = f"x-amz-access-token: {seller.access_token}\r\n"
                rate = await _rate(urls["na"], path, token)
                measured.setdefault((name, "ours"), []).append(rate)
                async with _server("-m", "bench.local_amazon") as (url, bare):
                    assert bare.stdin is not None
                    bare.stdin.write(len(bodies[name]).to_bytes(8, "big") + bodies[name])
                    await bare.stdin.drain()
                    await asyncio.to_thread(_wait_for, url.decode().strip(), bodies[name])
                    measured.setdefault((name, "bare"), []).append(await _rate(url.decode().strip(), "/", ""))
        mib = psutil.Process(process.pid).memory_info().rss / 2**20
    median = {key: statistics.median(rates) for key, rates in measured.items()}
    rows = [
        _row(f"local Amazon, {name}: req/s beside a bare route", median[name, "ours"], median[name, "bare"], 0.5)
        for name in _CALLS
    ]
    rows.append(
        {
            "goal": "E1",
            "what": "local Amazon, the whole book for the first time: pages a CPU second beside the second time",
            "value": cold,
            "ceiling": warm,
            "ratio": cold / warm,
            "target": None,
            "met": None,
        }
    )
    big = f"{LISTINGS:,} listings and {ORDERS:,} orders"
    return [
        *rows,
        _row(f"local Amazon, resident MiB with {big}", mib, MOST_MIB, 1.0, most=True),
        _row(f"local Amazon, seconds to fill with {big}", taken, MOST_SECONDS, 1.0, most=True),
    ]


def _row(what: str, value: float, ceiling: float, target: float, *, most: bool = False) -> dict[str, Any]:
    ratio = value / ceiling
    met = ratio <= target if most else ratio >= target
    row = {"goal": "E1", "what": what, "value": value, "ceiling": ceiling, "ratio": ratio}
    return row | {"target": f"{'<=' if most else '>='} {target}", "met": met}


@asynccontextmanager
async def _server(*arguments: str) -> AsyncIterator[tuple[bytes, asyncio.subprocess.Process]]:
    """A Python process on CPU 0, and the first line it says; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *("taskset", "-c", "0", sys.executable, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    try:
        assert process.stdout is not None
        said = await process.stdout.readline()
        assert said, f"{arguments} did not start"
        yield said, process
    finally:
        process.terminate()
        await process.wait()


def _fill(urls: dict[str, str]) -> tuple[SellingPartner, float]:
    with httpx.Client(timeout=120) as http:
        amazon = LocalAmazon(http, urls)
        amazon.settings(redirect_uris=["http://127.0.0.1:9/callback"])
        amazon.create_seller("A1BENCH", "NA", _US)
        wish = {"selling_partner_id": "A1BENCH", "marketplace_id": _US, "listings": LISTINGS, "orders": ORDERS}
        began = time.perf_counter()
        amazon.dial("POST", "/sandbox/world/fill", wish)
        return amazon.connect("A1BENCH", "NA"), time.perf_counter() - began


def _page_book(seller: SellingPartner, server: psutil.Process) -> float:
    """Pages of a search that finds every order, for each second of the server's CPU: reading them costs us more."""
    headers, pages, token = {"x-amz-access-token": seller.access_token}, 0, ""
    began = _cpu_seconds(server)
    with httpx.Client(base_url=seller.amazon.urls["na"], headers=headers, timeout=30) as http:
        while pages == 0 or token:
            path = _CALLS["searchOrders, 100 a page"] + (f"&paginationToken={quote(token)}" if token else "")
            page = http.get(path).raise_for_status().json()
            pages, token = pages + 1, page.get("pagination", {}).get("nextToken", "")
    assert pages >= ORDERS // 100, "the book was not paged to its end"
    return pages / (_cpu_seconds(server) - began)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _wait_for(url: str, body: bytes) -> None:
    while httpx.get(url).content != body:
        time.sleep(0.01)


def _body(seller: SellingPartner, path: str) -> bytes:
    answer = httpx.get(seller.amazon.urls["na"] + path, headers={"x-amz-access-token": seller.access_token})
    assert answer.status_code == 200, answer.text
    return answer.content


async def _rate(url: str, path: str, header: str) -> float:
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\n{header}\r\n".encode()
    return (await load(int(url.rsplit(":", 1)[1]), request))[0]


async def _bare() -> None:
    """One route whose answer is what comes on stdin, after its length in eight bytes."""
    body = b""

    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    async with serve(Starlette(routes=[Route("/", answer)])) as url:
        print(url, flush=True)
        length = int.from_bytes(await asyncio.to_thread(sys.stdin.buffer.read, 8), "big")
        body = await asyncio.to_thread(sys.stdin.buffer.read, length)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_bare())
