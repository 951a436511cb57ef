"""Applies `InventoryChanged` events; one that cannot be is stored with its reason, and nothing waits for it."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import insert_page
from common.contracts.event import Received
from common.contracts.inventory import InventoryChanged
from common.moments import digits_in_utc, moment_problem
from listings_service import stating
from listings_service.checks import UNKNOWN_CHANNEL, UNKNOWN_SKU, Fault, as_of_fault, price_fault, sku_fault
from listings_service.delta import Statement
from listings_service.models import Channel, InventoryRejection

_COLUMNS = (
    "account_id",
    "channel_id",
    "sku",
    "quantity",
    "amount",
    "currency",
    "as_of",
    "code",
    "detail",
    "received_at",
)


async def receive(session: AsyncSession, received: Sequence[Received]) -> None:
    """Changes what the events' channels shall show; the newest `as_of` of a listing wins in any order."""
    events = [one.event for one in received if isinstance(one.event, InventoryChanged)]
    channels = await stating.channels(session, {event.channel_id for event in events})
    refused: list[tuple[InventoryChanged, Fault]] = []
    good: list[InventoryChanged] = []
    for event in events:
        fault = _fault(event, channels.get((event.account_id, event.channel_id)))
        if fault is None:
            good.append(event)
        else:
            refused.append((event, fault))
    known = await stating.lock(session, {_key(event) for event in good})
    refused += [(event, UNKNOWN_SKU) for event in good if _key(event) not in known]
    await stating.apply(session, [(known[_key(event)], _statement(event)) for event in good if _key(event) in known])
    await insert_page(session, InventoryRejection, _COLUMNS, [_rejection(event, fault) for event, fault in refused])


def _key(event: InventoryChanged) -> stating.Key:
    return event.account_id, event.channel_id, event.sku


def _fault(event: InventoryChanged, channel: Channel | None) -> Fault | None:
    if channel is None:
        return UNKNOWN_CHANNEL
    fault = sku_fault(event.sku) or as_of_fault(event.as_of, clock.now())
    if fault is None and event.price is not None:
        fault = price_fault(event.price.amount, event.price.currency, channel.marketplace_id)
    return fault


def _statement(event: InventoryChanged) -> Statement:
    price = event.price
    return Statement(event.as_of, event.quantity, price.amount if price else None, price.currency if price else None)


def _rejection(event: InventoryChanged, fault: Fault) -> tuple[object, ...]:
    return (
        event.account_id,
        event.channel_id,
        event.sku,
        event.quantity,
        str(event.price.amount) if event.price else None,
        event.price.currency if event.price else None,
        digits_in_utc(event.as_of) if moment_problem(event.as_of) else event.as_of,
        fault.code,
        fault.what,
        clock.now(),
    )
