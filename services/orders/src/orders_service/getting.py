"""Get Orders: one query per seller for all its marketplaces, page by page, and a cursor that no order escapes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon import order as amazon_order
from common.amazon.client import AmazonClient, Seller
from common.amazon.errors import AmazonNotFound, InvalidInput, MalformedAnswer
from common.amazon.orders import MalformedOrder, OrdersPage, get_order, search_orders
from common.amazon.run_outcomes import outcomes
from common.bulk import run
from common.crypto import KeyRing
from common.db import Database
from common.jobs import RunFailed, Work
from orders_service import unimported
from orders_service.asking import seller_now, seller_of, tell_paused
from orders_service.importing import PageResult, store_page
from orders_service.models import Channel, ImportCursor

log = structlog.get_logger()

# More than Amazon's lag of two minutes: what was updated during a run is seen by the next one (edge 5).
OVERLAP = timedelta(minutes=5)
MOST_RESTARTS = 3

INCLUDED_DATA = ("FULFILLMENT", "BUYER", "RECIPIENT", "PROCEEDS", "PACKAGES", "CANCELLATION")


class GetOrders:
    """The runner of `get_orders`. No transaction is open while Amazon is asked."""

    def __init__(self, db: Database, amazon: AmazonClient, ring: KeyRing) -> None:
        self._db = db
        self._amazon = amazon
        self._ring = ring

    async def __call__(self, work: Work) -> None:
        async with self._db.transaction() as session:
            await seller_of(session, work)
            channels = await _channels(session, work)
        tell_paused(work, channels)
        if all(channel.paused for channel in channels):
            return
        with outcomes():
            if wanted := work.parameters.get("amazon_order_ids"):
                await self._back_fill(work, wanted)
                return
            async with self._db.transaction() as session:
                retried = await unimported.to_retry(session, work.connection_id)
            for order_id in retried:
                await self._get_one(work, order_id)
            await self._get_window(work, channels)

    async def _back_fill(self, work: Work, order_ids: Sequence[str]) -> None:
        done = work.cursor.get("ids_done", 0)
        for number, order_id in enumerate(order_ids[done:], done + 1):
            await self._get_one(work, order_id)
            work.cursor = {"ids_done": number}

    async def _get_one(self, work: Work, order_id: str) -> None:
        """An order that is asked for by id: set aside before, or back-filled by hand."""
        seller = await seller_now(self._db, work)
        orders: list[amazon_order.Order] = []
        try:
            orders.append(await get_order(self._amazon, seller, order_id, included_data=INCLUDED_DATA))
        except AmazonNotFound:
            work.error("not_found", "Amazon has no such order of this seller", amazon_order_id=order_id)
        except MalformedAnswer as error:
            work.error("malformed", str(error), amazon_order_id=order_id)
        await self._store(work, seller, orders, ())

    async def _get_window(self, work: Work, channels: list[Channel]) -> None:
        if "last_updated_after" not in work.cursor:
            work.cursor = {"last_updated_after": await self._window_start(work, channels)}
        while True:
            seller = await seller_now(self._db, work)
            page = await self._page(work, seller)
            await self._store(work, seller, page.orders, page.malformed)
            # Only after the commit: who dies before it gets the same page again, which then changes nothing.
            work.cursor = _advanced(work.cursor, page)
            if page.next_token is None:
                break
        await self._move_cursor(work)

    async def _window_start(self, work: Work, channels: list[Channel]) -> str:
        async with self._db.transaction() as session:
            cursor = await session.get(ImportCursor, work.connection_id)
        first = clock.now() - timedelta(days=max(channel.created_within_days for channel in channels))
        return (cursor.last_updated_after if cursor else first).isoformat()

    async def _page(self, work: Work, seller: Seller) -> OrdersPage:
        token = work.cursor.get("token")
        try:
            return await self._search(work, seller, token)
        except InvalidInput:
            restarts = work.cursor.get("restarts", 0)
            if token is None or restarts == MOST_RESTARTS:
                raise
            # A token lives 24 h (FACTS 8.2.2): the window starts again, what is stored already changes nothing.
            work.count("windows_restarted")
            work.cursor = {"last_updated_after": work.cursor["last_updated_after"], "restarts": restarts + 1}
            return await self._search(work, await seller_now(self._db, work), None)

    async def _search(self, work: Work, seller: Seller, token: str | None) -> OrdersPage:
        return await search_orders(
            self._amazon,
            seller,
            last_updated_after=datetime.fromisoformat(work.cursor["last_updated_after"]),
            included_data=INCLUDED_DATA,
            pagination_token=token,
        )

    async def _store(
        self,
        work: Work,
        seller: Seller,
        orders: Iterable[amazon_order.Order],
        malformed: Iterable[MalformedOrder],
    ) -> None:
        async with self._db.transaction() as session:
            await work.hold(session)
            result = await store_page(session, self._ring, seller, tuple(orders), tuple(malformed))
        _tell(work, result)

    async def _move_cursor(self, work: Work) -> None:
        """The next window begins where this one surely saw everything, minus the overlap."""
        ends = [datetime.fromisoformat(work.cursor[name]) for name in ("saw_until", "newest") if name in work.cursor]
        async with self._db.transaction() as session:
            await work.hold(session)
            if ends:
                await run(
                    session,
                    "insert into import_cursor (connection_id, account_id, last_updated_after) values ($1, $2, $3) "
                    "on conflict (connection_id) do update set "
                    "last_updated_after = greatest(import_cursor.last_updated_after, excluded.last_updated_after)",
                    work.connection_id,
                    work.account_id,
                    min(ends) - OVERLAP,
                )


async def _channels(session: AsyncSession, work: Work) -> list[Channel]:
    """The connection's channels. Raises `RunFailed` when none is ready for orders (MISSION C1)."""
    query = select(Channel).where(
        Channel.connection_id == work.connection_id, Channel.account_id == work.account_id, ~col(Channel.deleted)
    )
    channels = list((await session.exec(query)).all())
    if not channels:
        raise RunFailed(
            "no_channels", "the connection has no channel", fix="Create a channel for one of its marketplaces"
        )
    if not any(channel.shipping_mappings for channel in channels):
        raise RunFailed(
            "no_shipping_mappings",
            "no channel of this connection has shipping mappings",
            fix="PUT /v1/channels/{id}/shipping-mappings, or POST .../shipping-mappings/defaults for the US rows",
        )
    return channels


def _advanced(cursor: dict[str, Any], page: OrdersPage) -> dict[str, Any]:
    """The run's cursor after a page: the next token, how far the search saw, and the newest update seen."""
    kept = {name: cursor[name] for name in ("last_updated_after", "restarts") if name in cursor}
    after = kept | {"token": page.next_token}
    saw = [page.last_updated_before.isoformat()] if page.last_updated_before else []
    saw += [cursor["saw_until"]] if "saw_until" in cursor else []
    if saw:
        after["saw_until"] = min(saw, key=datetime.fromisoformat)
    newest = [order.last_updated_time.isoformat() for order in page.orders]
    newest += [cursor["newest"]] if "newest" in cursor else []
    if newest:
        after["newest"] = max(newest, key=datetime.fromisoformat)
    return after


def _tell(work: Work, result: PageResult) -> None:
    for name in ("imported", "changed", "unchanged", "skipped", "malformed"):
        if number := getattr(result, name):
            work.count(name, number)
    for code, detail, amazon_order_id in result.errors:
        work.error(code, detail, amazon_order_id=amazon_order_id)
