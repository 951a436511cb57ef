"""Which new orders a connection's channels want, and which shipping policy they get."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlmodel.ext.asyncio.session import AsyncSession

from common.amazon.marketplaces import is_marketplace
from common.bulk import run
from orders_service.mapping import ShippingMapping, policies_by_text
from orders_service.models import Channel
from orders_service.order_state import OrderState, Placed, holds_of


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """What decides whether and how an order of this channel's marketplace is imported."""

    channel_id: UUID
    name: str
    paused: bool
    statuses: frozenset[str]
    created_within: timedelta
    policies: dict[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The channels by marketplace; `skipped_before` says whether any order of the connection is set aside."""

    channels: dict[str, ChannelSettings]
    skipped_before: bool


async def wanted_by(session: AsyncSession, connection_id: UUID) -> Wanted:
    """Held for share: who changes a channel's settings waits for this page, and then sees its orders."""
    rows = await run(
        session,
        "select marketplace_id, id, name, paused, statuses, created_within_days, shipping_mappings, "
        "exists (select 1 from unimported_order where connection_id = $1) from channel "
        "where connection_id = $1 and not deleted order by id for share",
        connection_id,
    )
    channels = {
        row[0]: ChannelSettings(
            row[1],
            row[2],
            row[3],
            frozenset(row[4]),
            timedelta(days=row[5]),
            policies_by_text(msgspec.convert(row[6], list[ShippingMapping])),
        )
        for row in rows
    }
    return Wanted(channels, any(row[7] for row in rows))


def place(before: Placed, channel: ChannelSettings | None, state: OrderState) -> Placed:
    """What the settings of the channel of the order's marketplace make of it; without one it keeps the one it had."""
    policy = channel.policies.get(state.service_level or "") if channel else None
    holds = holds_of(state, mapped=policy is not None, channel_known=channel is not None)
    return before._replace(
        channel_id=channel.channel_id if channel else before.channel_id, shipping_policy=policy, holds=holds
    )


def paused(channel: ChannelSettings | Channel) -> tuple[str, str]:
    """Code and detail for orders of a channel that is paused."""
    return "channel_paused", f"the channel {channel.name} is paused: its orders are neither read nor confirmed"


def why_not(state: OrderState, channel: ChannelSettings | None, now: datetime) -> tuple[str, str] | None:
    """Code and detail when a new order is not taken (codes: `explaining.py`)."""
    if not state.marketplace_id:
        return (
            "not_sold_on_amazon",
            "it was placed outside Amazon, which only ships it: it belongs to the shop it is from",
        )
    if not is_marketplace(state.marketplace_id):
        return "unknown_marketplace", f"{state.marketplace_id} is no marketplace in which a channel can sell"
    if channel is None:
        return "no_channel", f"no channel sells in marketplace {state.marketplace_id}"
    if channel.paused:
        return paused(channel)
    if state.status not in channel.statuses:
        return "status_not_configured", f"{state.status} is not among the statuses that the channel imports"
    if state.purchased_at < now - channel.created_within:
        return "too_old", f"created more than {channel.created_within.days} days ago"
    return None
