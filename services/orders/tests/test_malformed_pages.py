"""What Amazon should not send: one bad order of a page, a page token that is not taken any more, a page cut off."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common import http
from common.contracts.orders import OrderImported
from common.testing.amazon import Amazon
from common.testing.plugin import serve
from orders_service.testing import OpenShop

CURSORS = "select last_updated_after from import_cursor"


@dataclass
class Spoiler:
    """Stands before the local Amazon and spoils the answers about some orders."""

    url: str = ""
    orders: set[str] = field(default_factory=set)
    refuse_tokens: bool = False

    def spoil(self, order: dict[str, Any]) -> None:
        if order["orderId"] in self.orders:
            order["orderItems"][0]["quantityOrdered"] = "a few"


@pytest_asyncio.fixture
async def spoiler(amazon: Amazon) -> AsyncIterator[Spoiler]:
    spoiler = Spoiler()
    async with http.client() as client:

        async def forward(request: Request) -> Response:
            if spoiler.refuse_tokens and "paginationToken" in request.query_params:
                return Response('{"errors": [{"code": "InvalidInput", "message": "token expired"}]}', 400)
            headers = {"x-amz-access-token": request.headers["x-amz-access-token"]}
            target = f"{amazon.endpoints['NA']}{request.url.path}?{request.url.query}"
            answer = await client.request(request.method, target, headers=headers)
            document = answer.json()
            for order in document.get("orders", [document.get("order")]):
                spoiler.spoil(order)
            return Response(json.dumps(document), answer.status_code, media_type="application/json")

        async with serve(Starlette(routes=[Route("/{path:path}", forward)])) as spoiler.url:
            yield spoiler


@pytest.mark.row("C2")
@pytest.mark.fault("F13")
async def test_one_malformed_order_is_set_aside_sealed_and_comes_when_it_is_whole(
    open_shop: OpenShop, spoiler: Spoiler
) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    placed = await shop.place(*[{} for _ in range(5)])
    bad = placed[2]
    spoiler.orders.add(bad)
    run = await shop.get_orders()
    assert run["counts"] == {"imported": 4, "malformed": 1, "errors": 1}
    assert run["errors"][0]["amazon_order_id"] == bad
    assert await shop.explain(bad) == ["malformed"]
    ((body,),) = await shop.sql("select sealed_body from unimported_order")
    assert b"Canary" not in body
    await shop.sql("update import_cursor set last_updated_after = now() + interval '1 hour'")  # long passed by
    spoiler.orders.clear()
    await shop.get_orders()
    assert {event.amazon_order_id for event in await shop.published(OrderImported)} == set(placed)
    assert await shop.sql("select 1 from unimported_order") == []


@pytest.mark.edge(5)
@pytest.mark.fault("F19")
@pytest.mark.fact("8.2.2")
async def test_a_page_token_that_is_refused_restarts_the_window(open_shop: OpenShop, spoiler: Spoiler) -> None:
    shop = await open_shop(amazon_endpoint_na=spoiler.url)
    await shop.place(*[{} for _ in range(150)])
    cursors = await shop.sql(CURSORS)
    spoiler.refuse_tokens = True
    run = await shop.get_orders()
    assert (run["status"], run["errors"][0]["code"]) == ("failed", "amazon_refused")
    assert run["counts"]["windows_restarted"] == 3
    assert await shop.sql(CURSORS) == cursors
    spoiler.refuse_tokens = False
    run = await shop.get_orders()
    assert (run["status"], run["counts"]["imported"]) == ("succeeded", 50)
    assert len(await shop.published(OrderImported)) == 150


@pytest.mark.fault("F11")
async def test_a_page_that_is_cut_off_is_never_taken_for_the_last(open_shop: OpenShop) -> None:
    shop = await open_shop()
    await shop.place(*[{} for _ in range(3)])
    cursors = await shop.sql(CURSORS)
    fault = {"operation": "searchOrders", "kind": "malformed_json", "count": 1}
    await shop.amazon.dial("POST", "/sandbox/faults", fault)
    run = await shop.get_orders()
    assert run["status"] == "queued"
    assert await shop.sql(CURSORS) == cursors
    await shop.sql("update operation_run set due_at = now()")
    await shop.service.runtime.worker().run_due()
    assert len(await shop.orders()) == 3
