"""Finds listings by state, and applies the bulk actions: unlink, relink, pause, unpause."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from common import jobs
from common.callers import Caller
from common.errors import NotFound
from common.reading import Reads, Row, columns
from listings_service import lifecycle
from listings_service.models import DIRTY, Variant
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


# What `schemas.listing_view` and `tabulating.lines` show, of the tables `variant` and its parent `listing`.
LISTING = (
    f"select {columns(Variant, 'variant')}, listing.sku parent_sku, listing.title, ({DIRTY}) dirty"  # noqa: S608 - own names
    " from variant join listing on listing.id = variant.listing_id where variant.account_id = $1"
)
_EQUAL = ("channel_id", "link", "health", "paused", "sku")


async def one(reads: Reads, account_id: UUID, listing_id: UUID) -> Row:
    """Raises `NotFound`."""
    found = await reads.row(f"{LISTING} and variant.id = $2", account_id, listing_id)
    if found is None:
        raise NotFound(f"no listing {listing_id} in this account")
    return found


async def page(
    reads: Reads, account_id: UUID, filters: Filters, *, after: tuple[UUID, str] | None, limit: int
) -> list[Row]:
    """The account's listings that match, by channel and SKU, beginning after the given one."""
    sql, parameters = [LISTING], [account_id]

    def where(condition: str, *values: Any) -> None:
        places = range(len(parameters) + 1, len(parameters) + 1 + len(values))
        sql.append("and " + condition.format(*(f"${place}" for place in places)))
        parameters.extend(values)

    for name in _EQUAL:
        if (value := getattr(filters, name)) is not None:
            where(f"variant.{name} = {{}}", value)
    if filters.sku_prefix:
        where("starts_with(variant.sku, {})", filters.sku_prefix)
    if filters.dirty is not None:
        where(f"({DIRTY})" if filters.dirty else f"not ({DIRTY})")
    if after is not None:
        where("(variant.channel_id, variant.sku) > ({}, {})", *after)
    where("true order by variant.channel_id, variant.sku limit {}", limit)
    return await reads.rows(" ".join(sql), *parameters)


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
