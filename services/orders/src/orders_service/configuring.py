"""A channel's order settings and shipping mappings; a new mapping frees the orders that waited for it."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.callers import Caller
from common.errors import Conflict, InvalidRequest, NotFound
from orders_service.mapping import US_DEFAULTS, ShippingMapping, bound_twice, policies_by_text
from orders_service.models import Channel, Order, ShippingPolicy
from orders_service.order_state import OPEN_STATUSES
from orders_service.placing import place_anew
from orders_service.unimported import retry_skipped
from orders_service.wanting import wanted_by

UNITED_STATES = "ATVPDKIKX0DER"


class UnknownPolicy(InvalidRequest):
    slug, title = "unknown-shipping-policy", "A mapping names a shipping policy that the account does not have"
    fix = "Create it with POST /v1/shipping-policies first"


class MappedTwice(InvalidRequest):
    slug, title = "mapped-twice", "One shipping text or service level is bound to two policies"
    fix = "Bind each text and each service level once"


class NoAcknowledgement(InvalidRequest):
    slug, title = "acknowledgement-not-available", "Imported orders cannot be acknowledged to Amazon yet"
    fix = "Leave acknowledge out, or send false"


class NoDefaults(InvalidRequest):
    slug, title = "no-default-mappings", "Default mappings exist for the United States only"
    fix = "PUT /v1/channels/{id}/shipping-mappings with a row per service level"


class PolicyInUse(Conflict):
    slug, title = "shipping-policy-in-use", "Something still uses this shipping policy"
    fix = "Map the channels' service levels to another policy first; orders that have it must be shipped or cancelled"


async def channel_of(session: AsyncSession, caller: Caller, channel_id: UUID, *, lock: bool = False) -> Channel:
    """The account's channel. Raises `NotFound`, also for a deleted one."""
    channel = await caller.one(session, Channel, channel_id, lock=lock)
    if channel.deleted:
        raise NotFound(f"channel {channel_id} was deleted")
    return channel


async def set_order_settings(
    session: AsyncSession,
    caller: Caller,
    channel_id: UUID,
    *,
    statuses: Sequence[str],
    created_within_days: int,
    acknowledge: bool,
) -> Channel:
    """Sets which new orders are imported; those that the old settings kept out are looked at again.

    Raises `NoAcknowledgement`: a setting that does nothing would be believed.
    """
    if acknowledge:
        raise NoAcknowledgement
    channel = await channel_of(session, caller, channel_id, lock=True)
    channel.statuses = list(statuses)
    channel.created_within_days = created_within_days
    channel.acknowledge = acknowledge
    session.add(channel)
    await session.flush()
    await retry_skipped(session, [channel_id], ("status_not_configured", "too_old"))
    return channel


async def set_shipping_mappings(
    session: AsyncSession, caller: Caller, channel_id: UUID, mappings: Sequence[ShippingMapping]
) -> Channel:
    """Replaces the channel's mappings and looks again at the orders that were held without one.

    Raises `UnknownPolicy` or `MappedTwice`, and changes nothing then.
    """
    channel = await channel_of(session, caller, channel_id, lock=True)
    if twice := bound_twice(mappings):
        raise MappedTwice(", ".join(twice))
    names = {mapping.policy for mapping in mappings}
    known = await session.exec(caller.scoped(ShippingPolicy).where(col(ShippingPolicy.name).in_(names)))
    if unknown := names - {policy.name for policy in known.all()}:
        raise UnknownPolicy(", ".join(sorted(unknown)))
    channel.shipping_mappings = [msgspec.structs.asdict(mapping) for mapping in mappings]
    session.add(channel)
    await session.flush()
    await _release_mapped(session, channel)
    return channel


async def set_default_mappings(session: AsyncSession, caller: Caller, channel_id: UUID) -> Channel:
    """The four rows of the US, with their policies, beside the channel's own rows, which win. Raises `NoDefaults`."""
    channel = await channel_of(session, caller, channel_id, lock=True)
    if channel.marketplace_id != UNITED_STATES:
        raise NoDefaults
    for mapping in US_DEFAULTS:
        await create_policy(session, caller.account_id, mapping.policy)
    own = [msgspec.convert(row, ShippingMapping) for row in channel.shipping_mappings]
    bound = policies_by_text(own)
    added = [row for row in US_DEFAULTS if row.amazon_text not in bound and row.service_level not in bound]
    return await set_shipping_mappings(session, caller, channel_id, [*own, *added])


async def create_policy(session: AsyncSession, account_id: UUID, name: str) -> ShippingPolicy:
    """The account's policy of this name, made when it is new."""
    policy = ShippingPolicy(account_id=account_id, name=name, created_at=clock.now())
    await run(
        session,
        "insert into shipping_policy (id, account_id, name, created_at) values ($1, $2, $3, $4) on conflict do nothing",
        policy.id,
        account_id,
        name,
        policy.created_at,
    )
    query = select(ShippingPolicy).where(ShippingPolicy.account_id == account_id, ShippingPolicy.name == name)
    return (await session.exec(query)).one()


async def delete_policy(session: AsyncSession, caller: Caller, policy_id: UUID) -> None:
    """Raises `NotFound`, or `PolicyInUse` which says who uses it."""
    policy = await caller.one(session, ShippingPolicy, policy_id, lock=True)
    # Locked, so that no mapping to it is being stored meanwhile.
    channels = (await session.exec(caller.scoped(Channel).where(~col(Channel.deleted)).with_for_update())).all()
    mapped = [one for one in channels if any(row["policy"] == policy.name for row in one.shipping_mappings)]
    if mapped:
        named = [{"id": str(one.id), "name": one.name} for one in mapped]
        raise PolicyInUse(f"{len(mapped)} channel(s) map to {policy.name!r}", channels=named)
    query = caller.scoped(Order).where(
        Order.shipping_policy == policy.name, col(Order.status).in_([*OPEN_STATUSES, "PENDING"])
    )
    if waiting := (await session.exec(select(func.count()).select_from(query.subquery()))).one():
        raise PolicyInUse(f"{waiting} open order(s) have {policy.name!r}")
    await session.delete(policy)


async def _release_mapped(session: AsyncSession, channel: Channel) -> None:
    """The channel's row is locked, so no page is being stored that has not seen these mappings."""
    wanted = await wanted_by(session, channel.connection_id)
    query = (
        select(Order)
        .where(
            Order.channel_id == channel.id,
            col(Order.holds).contains(["unmapped_shipping"]),
            col(Order.service_level).in_(wanted.channels[channel.marketplace_id].policies),
        )
        .order_by(col(Order.selling_partner_id), col(Order.amazon_order_id))
        .with_for_update()
    )
    orders = (await session.exec(query.execution_options(populate_existing=True))).all()
    await place_anew(session, wanted, orders)
