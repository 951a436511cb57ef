"""Every piece of advice names what exists, and doing it makes the code that it was given for go away."""

import importlib
import json
import pkgutil
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

import orders_service
from common.contracts.compliance import OrderHeld
from common.errors import Problem
from orders_service import asking, explaining
from orders_service.testing import CANADA, US, OpenShop, Retold, Shop

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi"
_NAMED = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/v1/[^\s;,?]+)(?:\S* (?:with \S+ \S+ )?of the (\w+) service)?")

# Nothing to do, or another service's to see: `test_holds_of_compliance_go_with_its_next_decision`.
NOTHING_TO_DO = {"not_sold_on_amazon", "unknown_marketplace"}
# Read again by itself; what is told once that has ended is done in `test_malformed_pages`.
OF_ITSELF = {"malformed", "not_storable", "unexpected", "unanswered", "amazon_refused", "not_found"}
OF_COMPLIANCE = {
    "no_source_has_sku",
    "none_in_stock",
    "none_compliant",
    "rule_not_satisfiable",
    "already_released",
    "line_without_sku",
}


def advice() -> list[str]:
    """All fixes that orders gives: in explanations, in the errors of runs, in problems."""
    modules = [
        importlib.import_module(name)
        for _, name, _ in pkgutil.walk_packages(orders_service.__path__, "orders_service.")
        if ".migrations" not in name and not name.endswith(("__main__", ".testing"))
    ]
    problems = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Problem)
    }
    sources = [Path(str(module.__file__)).read_text() for module in modules if module.__file__]
    told = [found for source in sources for found in re.findall(r'fix="([^"]+)"', source)]
    return [*explaining.FIXES.values(), asking.RESUME, *told, *(problem.fix for problem in problems)]


def test_every_operation_that_an_advice_names_exists() -> None:
    named = {match.groups() for text in advice() for match in _NAMED.finditer(text)}
    assert len(named) > 12
    missing = []
    for method, path, service in named:
        document = json.loads((OPENAPI / f"{service or 'orders'}.json").read_text())
        known = {re.sub(r"{\w+}", "{id}", one): operations for one, operations in document["paths"].items()}
        if method.lower() not in known.get(path, {}):
            missing.append((method, path, service))
    assert missing == []


class Case(NamedTuple):
    """How an order comes to be held, and the advice performed."""

    spoil: Callable[[dict[str, Any]], Any] | None
    placed: dict[str, Any]
    before: Callable[[Shop], Awaitable[Any]] | None
    perform: Callable[[Shop, str], Awaitable[Any]]


async def nothing(shop: Shop, amazon_order_id: str) -> None:
    """Get Orders comes by itself."""


async def no_us_channel(shop: Shop) -> None:
    del shop.channels[US]
    await shop.connect()


async def us_channel(shop: Shop, amazon_order_id: str) -> None:
    shop.channels[US] = uuid4()
    await shop.connect()


async def us_channel_lost(shop: Shop) -> None:
    await shop.get_orders()
    ((amazon_order_id,),) = await shop.sql("select amazon_order_id from orders")
    await no_us_channel(shop)
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/request-cancel", {"by": "MERCHANT"})


def settings(**changes: Any) -> Callable[..., Awaitable[Any]]:
    async def put(shop: Shop, amazon_order_id: str = "") -> None:
        await shop.call("PUT", f"/v1/channels/{shop.channels[US]}/order-settings", changes)

    return put


async def map_next_day(shop: Shop, amazon_order_id: str) -> None:
    rows = {"mappings": [{"service_level": "NEXT_DAY", "policy": "Expedited"}]}
    await shop.call("PUT", f"/v1/channels/{shop.channels[US]}/shipping-mappings", rows)


async def pay(shop: Shop, amazon_order_id: str) -> None:
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/release")


async def wish_to_cancel(shop: Shop) -> None:
    ((amazon_order_id,),) = [[order["amazon_order_id"]] for order in await books(shop)]
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/request-cancel", {})


async def books(shop: Shop) -> list[Any]:
    path = f"/sandbox/books/orders?selling_partner_id={shop.selling_partner_id}"
    orders: list[Any] = (await shop.amazon.dial("GET", path))["orders"]
    return orders


async def cancel(shop: Shop, amazon_order_id: str) -> None:
    await shop.amazon.dial("POST", f"/sandbox/orders/{amazon_order_id}/cancel", {})


async def pause(shop: Shop) -> None:
    shop.paused = frozenset([US])
    await shop.connect()


async def resume(shop: Shop, amazon_order_id: str) -> None:
    shop.paused = frozenset()
    await shop.connect()


def of_program(program: str) -> Case:
    """Shipped in Seller Central, by the program's own rules: the order is told as shipped."""
    return Case(None, {"programs": [program]}, None, cancel)


CASES = {
    "no_channel": Case(None, {}, no_us_channel, us_channel),
    "unknown_channel": Case(None, {}, us_channel_lost, us_channel),
    "channel_paused": Case(None, {}, pause, resume),
    "status_not_configured": Case(
        None, {"status": "PENDING"}, settings(statuses=["UNSHIPPED"]), settings(statuses=["PENDING", "UNSHIPPED"])
    ),
    "too_old": Case(
        None,
        {"created_time": "2026-01-01T00:00:00Z"},
        settings(created_within_days=1),
        settings(created_within_days=730),
    ),
    "pending": Case(None, {"status": "PENDING"}, None, pay),
    "unmapped_shipping": Case(None, {"service_level": "NEXT_DAY"}, None, map_next_day),
    "cancel_requested": Case(None, {}, wish_to_cancel, cancel),
    "no_address": Case(lambda order: order.pop("recipient"), {}, None, nothing),
    "in_store_pick_up": of_program("IN_STORE_PICK_UP"),
    "easy_ship": of_program("AMAZON_EASY_SHIP"),
    "ship_plus": of_program("FBM_SHIP_PLUS"),
    "seller_flex": of_program("SELLER_FLEX"),
}


def test_the_table_holds_every_code_that_has_advice() -> None:
    assert explaining.FIXES.keys() == CASES.keys() | NOTHING_TO_DO | OF_ITSELF | OF_COMPLIANCE


@pytest.mark.row("C5")
@pytest.mark.parametrize("code", CASES)
async def test_doing_what_is_advised_makes_the_reason_go_away(open_shop: OpenShop, retold: Retold, code: str) -> None:
    case = CASES[code]
    shop = await open_shop(amazon_endpoint_na=retold.url, marketplaces=(US, CANADA))
    await shop.map_shipping_as_in_the_us(CANADA)
    (amazon_order_id,) = await shop.place(case.placed)
    if case.spoil:
        retold.retell = case.spoil
    if case.before:
        await case.before(shop)
    await shop.run("get_orders", amazon_order_ids=[amazon_order_id])
    reasons = {reason["code"]: reason["fix"] for reason in await shop.reasons(amazon_order_id)}
    assert reasons[code] == explaining.FIXES[code] != ""
    retold.retell = lambda order: None
    await case.perform(shop, amazon_order_id)
    await shop.get_orders()
    assert code not in await shop.explain(amazon_order_id)
    assert len(await shop.orders()) == 1


@pytest.mark.row("C5")
@pytest.mark.parametrize("code", sorted(OF_COMPLIANCE))
async def test_holds_of_compliance_go_with_its_next_decision(shop: Shop, code: str) -> None:
    (amazon_order_id,) = await shop.place({})
    await shop.get_orders()
    order = await shop.order(amazon_order_id)
    held = OrderHeld(
        account_id=shop.account_id,
        selling_partner_id=shop.selling_partner_id,
        amazon_order_id=amazon_order_id,
        decision_version=1,
        order_version=1,
        code=code,
        detail="why",
    )
    await shop.deliver(held)
    assert await shop.explain(amazon_order_id) == [code]
    await shop.deliver(await shop.routed(order, (uuid4(), 2), decision_version=2))
    assert await shop.explain(amazon_order_id) == []
