"""Opens an order's personal data for who may see it, and records that they did."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.callers import Caller
from common.crypto import KeyRing
from common.errors import NotFound
from orders_service.models import Order, OrderKey, RecipientAccess
from orders_service.personal_data import PersonalData, unseal


class NoRecipient(NotFound):
    slug, title = "no-recipient", "There is no recipient of this order"
    fix = "A pending order has none yet; an erased one has none any more"


async def recipient_of(
    session: AsyncSession, ring: KeyRing, caller: Caller, order_id: UUID
) -> tuple[Order, PersonalData]:
    """The order and its buyer's data; the reading is written in the same transaction.

    Raises `NotFound`, `NoRecipient`.
    """
    order = await caller.one(session, Order, order_id)
    key = await session.get(OrderKey, order_id)
    if order.personal_data is None or key is None or key.wrapped is None:
        raise NoRecipient
    personal = unseal(ring, order.account_id, order.id, order.personal_data, key.wrapped)
    session.add(
        RecipientAccess(account_id=caller.account_id, order_id=order.id, subject=caller.subject, read_at=clock.now())
    )
    return order, personal
