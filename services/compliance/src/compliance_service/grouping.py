"""A channel's routing group: which sources may ship its orders, and by which rules (MISSION D4)."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.callers import Caller
from common.errors import InvalidRequest
from compliance_service.account_turn import take_turn
from compliance_service.models import Channel, RoutingGroup, Source
from compliance_service.reroute_queue import request_reroute
from compliance_service.routing import DEFAULT_GROUP, RULES
from compliance_service.schemas import RoutingGroupAnswer, RoutingGroupChanges


class UnknownRoutingRule(InvalidRequest):
    slug, title = "unknown-routing-rule", "A priority names no rule that routing knows"


class RoutingRuleRepeated(InvalidRequest):
    slug, title = "routing-rule-repeated", "A priority is named twice"


class UnknownSource(InvalidRequest):
    slug, title = "unknown-source", "A source of the group is not in this account"


async def read_group(session: AsyncSession, caller: Caller, channel_id: UUID) -> RoutingGroupAnswer:
    """The channel's group, or the default one. Raises `NotFound` for a channel that is not the caller's."""
    channel = await caller.one(session, Channel, channel_id)
    stored = (
        await session.exec(caller.scoped(RoutingGroup).where(RoutingGroup.channel_id == channel.id))
    ).one_or_none()
    if stored is None:
        return RoutingGroupAnswer(
            channel_id=channel_id,
            source_ids=[],
            priorities=list(DEFAULT_GROUP.priorities),
            allow_split=DEFAULT_GROUP.allow_split,
        )
    return RoutingGroupAnswer.model_validate(stored, from_attributes=True)


async def set_group(
    session: AsyncSession, caller: Caller, channel_id: UUID, body: RoutingGroupChanges
) -> RoutingGroupAnswer:
    """Replaces the channel's group and has held orders decided again under the new rules.

    Raises `NotFound`, `UnknownRoutingRule`, `RoutingRuleRepeated`, `UnknownSource`.
    """
    await take_turn(session, [caller.account_id])
    channel = await caller.one(session, Channel, channel_id)
    priorities: list[str] = list(DEFAULT_GROUP.priorities) if body.priorities is None else body.priorities
    check_rules(priorities)
    await check_sources(session, caller, body.source_ids)
    group = RoutingGroup(
        channel_id=channel.id,
        account_id=caller.account_id,
        source_ids=[str(source_id) for source_id in dict.fromkeys(body.source_ids)],
        priorities=priorities,
        allow_split=body.allow_split,
        updated_at=clock.now(),
    )
    await session.merge(group)
    await request_reroute(session, caller.account_id, requested_by=caller.subject)
    return RoutingGroupAnswer.model_validate(group, from_attributes=True)


def check_rules(priorities: Sequence[str]) -> None:
    """Raises `UnknownRoutingRule`, `RoutingRuleRepeated`."""
    known = ", ".join(RULES)
    if unknown := [rule for rule in priorities if rule not in RULES]:
        raise UnknownRoutingRule(
            f"unknown: {', '.join(unknown)}", fix=f"Use these, in the order in which they bind: {known}"
        )
    if len(set(priorities)) != len(priorities):
        raise RoutingRuleRepeated(fix="Name each rule once", where="body.priorities")


async def check_sources(session: AsyncSession, caller: Caller, source_ids: Collection[UUID]) -> None:
    """Raises `UnknownSource` when one of them is not the account's."""
    found = (await session.exec(caller.scoped(Source).where(col(Source.id).in_(source_ids)))).all()
    if missing := set(source_ids) - {source.id for source in found}:
        raise UnknownSource(
            f"{len(missing)} source(s) are not in this account",
            errors=[
                {"where": "body.source_ids", "detail": f"no source {source_id}", "rule": "unknown"}
                for source_id in sorted(missing)
            ],
        )
