"""A shop with the orders service and a seller at the local Amazon."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common import http
from common.contracts.connections import Region
from common.testing.amazon import Amazon
from common.testing.identity import Issuer
from common.testing.plugin import RunService, serve
from orders_service.app import SERVICE
from orders_service.testing import SCOPES, US, OpenShop, Retold, Shop, Spoiler


@pytest_asyncio.fixture
async def open_shop(amazon: Amazon, run_service: RunService, issuer: Issuer) -> OpenShop:
    """`await open_shop(marketplaces=(US,), beside=None)`: a seller with a connected channel per marketplace.

    `beside`: another shop, whose service the new one shares. `mapped`: the channels of the US have their mappings.
    """

    async def open_one(
        *,
        marketplaces: tuple[str, ...] = (US,),
        region: Region = "NA",
        selling_partner_id: str = "A1TESTSELLER",
        beside: Shop | None = None,
        mapped: bool = True,
        read_back_delays: str = "0",
        **settings: Any,
    ) -> Shop:
        service = (
            beside.service
            if beside
            else await run_service(
                SERVICE,
                amazon=amazon,
                get_orders_every_seconds=3600,
                sync_orders_every_seconds=3600,
                confirm_read_back_delays=read_back_delays,
                **settings,
            )
        )
        account_id = uuid4()
        shop = Shop(
            service,
            amazon,
            issuer.headers(account_id, *SCOPES),
            issuer.headers(account_id, "orders:pii"),
            account_id,
            selling_partner_id,
            region,
        )
        shop.channels = {marketplace_id: uuid4() for marketplace_id in marketplaces}
        await amazon.seller(
            account_id,
            shop.connection_id,
            selling_partner_id=selling_partner_id,
            region=region,
            marketplace_ids=marketplaces,
        )
        await shop.connect()
        if mapped and US in marketplaces:
            await shop.map_shipping()
        await service.runtime.worker().run_due()  # the schedules' first runs, which have nothing to do
        return shop

    return open_one


@pytest_asyncio.fixture
async def retold(amazon: Amazon) -> AsyncIterator[Retold]:
    """`open_shop(amazon_endpoint_na=retold.url)`: what Amazon shows of orders is what `retold.retell` makes of it."""
    retold = Retold()
    async with http.client() as client:

        async def forward(request: Request) -> Response:
            target = f"{amazon.endpoints['NA']}{request.url.path}?{request.url.query}"
            kept = ("x-amz-access-token", "content-type")
            headers = {name: request.headers[name] for name in kept if name in request.headers}
            answer = await client.request(request.method, target, headers=headers, content=await request.body())
            if request.method != "GET" or answer.status_code != 200:
                return Response(answer.content, answer.status_code, media_type="application/json")
            document = answer.json()
            for order in document["orders"] if "orders" in document else [document["order"]]:
                retold.retell(order)
            return Response(json.dumps(document), media_type="application/json")

        everything = Route("/{path:path}", forward, methods=["GET", "POST"])
        async with serve(Starlette(routes=[everything])) as retold.url:
            yield retold


@pytest_asyncio.fixture
async def shop(open_shop: OpenShop) -> Shop:
    return await open_shop()


@pytest_asyncio.fixture
async def spoiler(amazon: Amazon) -> AsyncIterator[Spoiler]:
    """`open_shop(amazon_endpoint_na=spoiler.url)` has the spoiler between itself and Amazon."""
    spoiler = Spoiler()
    async with http.client() as client:

        async def forward(request: Request) -> Response:
            headers = {
                name: value for name, value in request.headers.items() if name in ("x-amz-access-token", "content-type")
            }
            query = request.url.query.replace("maxResultsPerPage=100", f"maxResultsPerPage={spoiler.largest_page}")
            target = f"{amazon.endpoints['NA']}{request.url.path}?{query}"
            answer = await client.request(request.method, target, headers=headers, content=await request.body())
            status, body = spoiler.spoilt(request.url.path, request.url.query, answer)
            return Response(body, status, media_type="application/json")

        async with serve(Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])) as spoiler.url:
            yield spoiler
