"""Orders that wait are placed anew when their channels change: with its channel an order gets its policy and its holds.

What a connection leaves behind when it is deleted goes to the seller's next one: an order is its seller's (MISSION C3).
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, or_, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from common.contracts.orders import OrderChanged
from common.outbox import publish
from orders_service.asking import DELETED
from orders_service.models import Connection, Order
from orders_service.order_state import CLOSED_STATUSES, Placed, event_of, what_matters
from orders_service.stored import states_of
from orders_service.unimported import retry_skipped
from orders_service.wanting import Wanted, place, wanted_by

_INHERIT_SETTINGS = """
    with gone as (
        select c.* from channel c where c.connection_id = any($2) and c.shipping_mappings <> '[]' for update
    ), inherited as (
        update channel heir set statuses = gone.statuses, created_within_days = gone.created_within_days,
            shipping_mappings = gone.shipping_mappings
        from gone where heir.connection_id = $1 and not heir.deleted and heir.shipping_mappings = '[]'
            and heir.marketplace_id = gone.marketplace_id
        returning gone.id
    )
    update channel set shipping_mappings = '[]' where id in (select id from inherited)
"""
_INHERIT_CURSOR = """
    with gone as (delete from import_cursor where connection_id = any($2) returning account_id, last_updated_after)
    insert into import_cursor (connection_id, account_id, last_updated_after)
    select $1, account_id, min(last_updated_after) from gone group by account_id
    on conflict (connection_id) do update
        set last_updated_after = least(import_cursor.last_updated_after, excluded.last_updated_after)
"""
_FORGET_DOUBLE = """
    delete from unimported_order gone using unimported_order heir
    where gone.connection_id = $2 and heir.connection_id = $1 and heir.reference = gone.reference
"""
_INHERIT_UNIMPORTED = "update unimported_order set connection_id = $1 where connection_id = $2"


async def inherit(session: AsyncSession, account_id: UUID, selling_partner_id: str, region: str) -> UUID | None:
    """Gives what the seller's deleted connections left to the one that lives, whichever is told first; answers it.

    None when there is nothing to give or nobody to take it.
    """
    query = select(Connection).where(
        Connection.account_id == account_id,
        Connection.selling_partner_id == selling_partner_id,
        Connection.region == region,
    )
    connections = (await session.exec(query.order_by(col(Connection.id)).with_for_update())).all()
    gone = [connection.id for connection in connections if connection.status == DELETED]
    living = [connection.id for connection in connections if connection.status != DELETED]
    if not gone or len(living) != 1:
        return None
    (heir,) = living
    await run(session, _INHERIT_SETTINGS, heir, gone)
    await run(session, _INHERIT_CURSOR, heir, gone)
    for connection_id in gone:
        await run(session, _FORGET_DOUBLE, heir, connection_id)
        await run(session, _INHERIT_UNIMPORTED, heir, connection_id)
    return heir


async def place_orders_of(session: AsyncSession, connection: Connection) -> None:
    """Places the orders of the connection's seller that are not closed and whose channel is not (or no longer) theirs.

    An order follows the channel of its marketplace; where there is none it stays as it is, as do those of another
    connection that lives.
    """
    wanted = await wanted_by(session, connection.id)
    channels = {marketplace_id: channel.channel_id for marketplace_id, channel in wanted.channels.items()}
    others = select(Connection.id).where(
        Connection.account_id == connection.account_id,
        Connection.id != connection.id,
        Connection.status != DELETED,
    )
    query = select(Order).where(
        Order.account_id == connection.account_id,
        Order.selling_partner_id == connection.selling_partner_id,
        col(Order.marketplace_id).in_(channels),
        col(Order.connection_id).not_in(others),
        col(Order.status).not_in(CLOSED_STATUSES),
        or_(
            Order.connection_id != connection.id,
            tuple_(col(Order.marketplace_id), col(Order.channel_id)).not_in(list(channels.items())),
            col(Order.holds).contains(["unknown_channel"]),
            col(Order.holds).contains(["unmapped_shipping"]),
        ),
    )
    query = query.order_by(col(Order.selling_partner_id), col(Order.amazon_order_id)).with_for_update()
    orders = (await session.exec(query.execution_options(populate_existing=True))).all()
    await place_anew(session, wanted, orders, connection.id)
    await retry_skipped(session, channels.values(), ("no_channel",))


async def place_anew(
    session: AsyncSession, wanted: Wanted, orders: Sequence[Order], connection_id: UUID | None = None
) -> None:
    """Gives locked orders (in the order of their keys) channel, policy and holds anew, and tells what is different."""
    events = []
    for order, state in zip(orders, await states_of(session, orders), strict=True):
        before = Placed(
            order.account_id, order.selling_partner_id, order.channel_id, order.shipping_policy, order.holds
        )
        placed = place(before, wanted.channels.get(order.marketplace_id), state)
        if what_matters(state, before) != what_matters(state, placed):
            order.version += 1
            events.append(event_of(OrderChanged, state, placed, order.version))
        order.connection_id = connection_id or order.connection_id
        order.channel_id, order.shipping_policy = placed.channel_id, placed.shipping_policy
        order.holds = list(placed.holds)
        session.add(order)
    await publish(session, *events)
