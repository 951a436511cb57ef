"""Finds listings by state, and applies the bulk actions: unlink, relink, pause, unpause."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from common import jobs
from common.callers import Caller
from listings_service import lifecycle
from listings_service.models import DIRTY, Listing, Variant
from listings_service.schemas import SelectionError, SelectionResults
from listings_service.settling import reset


@dataclass(frozen=True, slots=True)
class Filters:
    """Which listings; None filters nothing."""

    channel_id: UUID | None = None
    link: str | None = None
    health: str | None = None
    paused: bool | None = None
    sku: str | None = None
    sku_prefix: str | None = None
    dirty: bool | None = None


async def page(
    session: AsyncSession, account_id: UUID, filters: Filters, *, after: tuple[UUID, str] | None, limit: int
) -> Sequence[tuple[Variant, Listing]]:
    """The account's listings that match, by channel and SKU, beginning after the given one."""
    query = _filtered(account_id, filters).order_by(col(Variant.channel_id), col(Variant.sku)).limit(limit)
    if after is not None:
        query = query.where(tuple_(col(Variant.channel_id), col(Variant.sku)) > tuple_(*after))
    return [(variant, parent) for variant, parent in await session.exec(query)]


def _filtered(account_id: UUID, filters: Filters) -> Select[Variant, Listing]:
    query = (
        select(Variant, Listing)
        .join(Listing, col(Listing.id) == col(Variant.listing_id))
        .where(col(Variant.account_id) == account_id)
    )
    exact = {
        "channel_id": filters.channel_id,
        "link": filters.link,
        "health": filters.health,
        "paused": filters.paused,
        "sku": filters.sku,
    }
    for name, value in exact.items():
        if value is not None:
            query = query.where(getattr(Variant, name) == value)
    if filters.sku_prefix:
        query = query.where(col(Variant.sku).startswith(filters.sku_prefix, autoescape=True))
    if filters.dirty is not None:
        query = query.where(text(f"({DIRTY})" if filters.dirty else f"not ({DIRTY})"))
    return query


# Changes a variant; answers None when it did, and otherwise why nothing was to be done.
Action = Callable[[Variant], str | None]


def unlink(variant: Variant) -> str | None:
    target = lifecycle.after(variant.link, "unlink")
    if target is None:
        return "not linked"
    variant.link = target
    reset(variant)
    return None


def relink(variant: Variant) -> str | None:
    target = lifecycle.after(variant.link, "relink")
    if target is None:
        return "linked already; unlink it first"
    variant.link = target
    reset(variant)
    return None


def pause(variant: Variant) -> str | None:
    if variant.paused:
        return "paused already"
    variant.paused = True
    return None


def unpause(variant: Variant) -> str | None:
    if not variant.paused:
        return "not paused"
    variant.paused = False
    return None


async def act(
    session: AsyncSession, caller: Caller, listing_ids: Collection[UUID], action: Action
) -> tuple[SelectionResults, list[Variant]]:
    """Applies the action to each listing by itself; answers also the listings that it changed."""
    results = SelectionResults()
    changed: list[Variant] = []
    query = (
        caller.scoped(Variant).where(col(Variant.id).in_(set(listing_ids))).order_by(col(Variant.id)).with_for_update()
    )
    found = {variant.id: variant for variant in await session.exec(query)}
    for listing_id in dict.fromkeys(listing_ids):
        variant = found.get(listing_id)
        if variant is None:
            results.errors.append(
                SelectionError(
                    listing_id=listing_id,
                    code="not-found",
                    what="no such listing in this account",
                    fix="Use an id from GET /v1/listings",
                )
            )
        elif action(variant) is None:
            changed.append(variant)
        else:
            results.unchanged += 1
    results.changed = len(changed)
    await session.flush()
    return results, changed


async def link_soon(session: AsyncSession, caller: Caller, variants: Sequence[Variant]) -> list[UUID]:
    """Queues a link run for each connection of the listings; answers the runs' ids."""
    runs = [
        await jobs.start(
            session,
            account_id=caller.account_id,
            connection_id=connection_id,
            operation="link",
            requested_by=caller.subject,
        )
        for connection_id in dict.fromkeys(variant.connection_id for variant in variants)
    ]
    return [one.id for one in runs]
