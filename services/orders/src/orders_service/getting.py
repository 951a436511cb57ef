"""Get Orders: one query per seller for all its marketplaces, page by page, and a cursor that no order escapes.

The window is always read, first. Then those that were set aside have their turns; none of them stops the others."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon import order as amazon_order
from common.amazon.client import AmazonClient, Seller
from common.amazon.errors import AmazonError, AmazonNotFound, InvalidInput, Throttled
from common.amazon.orders import (
    MalformedOrder,
    OrdersPage,
    UnreadableOrder,
    UnreadablePage,
    get_order,
    search_orders,
)
from common.amazon.run_outcomes import outcomes
from common.bulk import run
from common.crypto import KeyRing
from common.db import Database
from common.item_by_item import is_the_items_fault, reason_of
from common.jobs import RunFailed, Work
from orders_service import unimported
from orders_service.asking import seller_now, seller_of, tell_paused
from orders_service.importing import PageResult, store_page
from orders_service.models import Channel, ImportCursor

log = structlog.get_logger()

# More than Amazon's lag of two minutes: what was updated during a run is seen by the next one (edge 5).
OVERLAP = timedelta(minutes=5)
MOST_RESTARTS = 3
# A page that is cut off is read again with so many times fewer orders in it (FACTS 8.2.2 allows it with its token).
LARGEST_PAGE, FEWER = 100, 10

INCLUDED_DATA = ("FULFILLMENT", "BUYER", "RECIPIENT", "PROCEEDS", "PACKAGES", "CANCELLATION")


class GetOrders:
    """The runner of `get_orders`. No transaction is open while Amazon is asked."""

    def __init__(self, db: Database, amazon: AmazonClient, ring: KeyRing) -> None:
        self._db = db
        self._amazon = amazon
        self._ring = ring

    async def __call__(self, work: Work) -> None:
        begun = clock.now()
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
            if "window_read" not in work.cursor:
                await self._get_window(work, channels)
            await self._read_again(work, begun)

    async def _back_fill(self, work: Work, order_ids: Sequence[str]) -> None:
        done = work.cursor.get("ids_done", 0)
        for number, order_id in enumerate(order_ids[done:], done + 1):
            if refusal := await self._get_one(work, order_id):
                work.error(*reason_of(refusal), amazon_order_id=order_id)
            work.cursor = {"ids_done": number}

    async def _read_again(self, work: Work, begun: datetime) -> None:
        """Those whose turn had come when the run began; whom Amazon's allowance does not reach is first in the next."""
        async with self._db.transaction() as session:
            order_ids = await unimported.due(session, work.connection_id, begun)
        for order_id in order_ids:
            try:
                await self._get_one(work, order_id)
            except Throttled:
                return

    async def _get_one(self, work: Work, order_id: str) -> AmazonError | None:
        """An order that is asked for by its id: taken, or set aside with the reason why it could not be.

        Answers Amazon's refusal of an id that was never seen. Raises what is not this order's fault.
        """
        seller = await seller_now(self._db, work)
        try:
            order = await get_order(self._amazon, seller, order_id, included_data=INCLUDED_DATA)
        except UnreadableOrder as error:
            await self._store(work, seller, malformed=[error.order], own_turn=True)
        except AmazonError as error:
            if not is_the_items_fault(error):
                raise
            return await self._not_given(work, seller, order_id, error)
        else:
            await self._store(work, seller, [order], own_turn=True)
        return None

    async def _not_given(self, work: Work, seller: Seller, order_id: str, error: AmazonError) -> AmazonError | None:
        code, detail = reason_of(error)
        async with self._db.transaction() as session:
            await work.hold(session)
            if isinstance(error, AmazonNotFound | InvalidInput) and not await unimported.is_kept(
                session, seller, order_id
            ):
                return error
            refused = unimported.Refused(order_id, code, detail, None)
            await unimported.set_aside(session, self._ring, seller, [refused], own_turn=True)
        work.error(code, detail, amazon_order_id=order_id)
        return None

    async def _get_window(self, work: Work, channels: list[Channel]) -> None:
        if "last_updated_after" not in work.cursor:
            work.cursor = {"last_updated_after": await self._window_start(work, channels)}
        while True:
            seller = await seller_now(self._db, work)
            try:
                page = await self._page(work, seller)
            except UnreadablePage as unreadable:
                page = await self._read_in_parts(work, seller, unreadable)
            else:
                await self._store(work, seller, page.orders, page.malformed)
            # Only after the commit: who dies before it gets the same page again, which then changes nothing.
            work.cursor = _advanced(work.cursor, page)
            if page.next_token is None:
                break
        await self._move_cursor(work)
        work.cursor = {"window_read": True}

    async def _read_in_parts(self, work: Work, seller: Seller, page: UnreadablePage) -> OrdersPage:
        """A page that is not JSON at some place: each order that it names is asked for by its id, so that the odd one
        is found and set aside. What it does not name is sought in a smaller page, then set aside without a name.

        Answers the page as far as it is known. Raises `UnreadablePage` when it is cut off: it may hold more.
        """
        named = page.whole and page.all_named
        size = work.cursor.get("page_size", LARGEST_PAGE)
        if not named and size > 1:
            work.cursor = work.cursor | {"page_size": max(size // FEWER, 1)}
            raise page
        read: list[str] = work.cursor.get("read_by_id", [])
        for order_id in page.order_ids:
            if order_id not in read:
                await self._get_one(work, order_id)
                read = [*read, order_id]
                work.cursor = work.cursor | {"read_by_id": read}
        if not page.whole:
            raise page
        if not page.all_named:
            await self._store(work, seller, malformed=[MalformedOrder(None, "not JSON, and no orderId", page.raw)])
        work.count("pages_read_in_parts")
        return OrdersPage((), (), page.next_token, page.last_updated_before, None)

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
            max_results_per_page=work.cursor.get("page_size", LARGEST_PAGE),
            pagination_token=token,
        )

    async def _store(
        self,
        work: Work,
        seller: Seller,
        orders: Sequence[amazon_order.Order] = (),
        malformed: Sequence[MalformedOrder] = (),
        *,
        own_turn: bool = False,
    ) -> None:
        async with self._db.transaction() as session:
            await work.hold(session)
            await seller_of(session, work, hold=True)
            result = await store_page(session, self._ring, seller, orders, malformed, own_turn=own_turn)
        _tell(work, result)

    async def _move_cursor(self, work: Work) -> None:
        """The next window begins where this one surely saw everything, minus the overlap."""
        ends = [datetime.fromisoformat(work.cursor[name]) for name in ("saw_until", "newest") if name in work.cursor]
        async with self._db.transaction() as session:
            await work.hold(session)
            await seller_of(session, work, hold=True)
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
