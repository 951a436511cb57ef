"""Sync (B3): pushes what changed, stop-sell first, and looks at Amazon until it shows what was sent.

Each step is a short transaction of its own: intent written, calls made with none open, answers recorded. Whatever the
moment at which the process dies, the open intent is found again, Amazon is read, and only then is anything repeated.
"""

import asyncio

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.amazon.client import AmazonClient
from common.db import Database
from common.jobs import Work
from listings_service import calling
from listings_service.looking import look_back
from listings_service.models import Variant
from listings_service.pushing import push
from listings_service.settings import ListingsSettings

# A run waits this long for Amazon to show a write; a later look is the next run's.
_LINGER_SECONDS = 5.0


async def sync(db: Database, amazon: AmazonClient, settings: ListingsSettings, work: Work) -> None:
    """Pushes and looks by turns until nothing is left to send and no look is due soon."""
    while True:
        async with db.transaction() as session:
            await work.hold(session)
            seller = await calling.seller(session, work.connection_id)
        pushed = await push(db, amazon, seller, work, settings.read_back_delays)
        looked = await look_back(db, amazon, seller, work, settings.read_back_delays)
        if pushed or looked:
            continue
        async with db.transaction() as session:
            wait = await _until_next_look(session, work)
        if wait is None or wait > _LINGER_SECONDS:
            return
        await asyncio.sleep(wait)


async def _until_next_look(session: AsyncSession, work: Work) -> float | None:
    query = (
        select(col(Variant.read_back_at))
        .where(col(Variant.connection_id) == work.connection_id, col(Variant.write_state).is_not(None))
        .order_by(col(Variant.read_back_at))
        .limit(1)
    )
    if work.channel_id is not None:
        query = query.where(col(Variant.channel_id) == work.channel_id)
    due = (await session.exec(query)).first()
    return None if due is None else max(0.0, (due - clock.now()).total_seconds())
