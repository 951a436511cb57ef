"""Finds listings by state, and applies the bulk actions: unlink, relink, pause, unpause."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
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
from listings_service.schemas import SelectionErrorAnswer, SelectionResultsAnswer
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
    connection_id: UUID | None = None
    updated_since: datetime | None = None


# What `schemas.listing_view` and `tabulating.lines` show, of the tables `variant` and its parent `listing`.
LISTING = (
    f"select {columns(Variant, 'variant')}, listing.sku parent_sku, listing.title, ({DIRTY}) dirty"  # noqa: S608 - own names
    " from variant join listing on listing.id = variant.listing_id where variant.account_id = $1"
)
_EQUAL = ("channel_id", "connection_id", "link", "health", "paused", "sku")


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
    conditions, parameters = _matching(account_id, filters)
    sql = [LISTING, conditions]
    if after is not None:
        sql.append(f"and (variant.channel_id, variant.sku) > (${len(parameters) + 1}, ${len(parameters) + 2})")
        parameters += after
    sql.append(f"order by variant.channel_id, variant.sku limit ${len(parameters) + 1}")
    return await reads.rows(" ".join(sql), *parameters, limit)


async def count(reads: Reads, account_id: UUID, filters: Filters) -> int:
    """How many of the account's listings match."""
    conditions, parameters = _matching(account_id, filters)
    row = await reads.row(f"select count(*) from variant where variant.account_id = $1 {conditions}", *parameters)  # noqa: S608 - own names
    return int(row["count"]) if row else 0


def _matching(account_id: UUID, filters: Filters) -> tuple[str, list[Any]]:
    """The conditions beside the account's, and the parameters of both."""
    sql: list[str] = []
    parameters: list[Any] = [account_id]

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
    if filters.updated_since is not None:
        where(
            "greatest(variant.quantity_as_of, variant.price_as_of, variant.amazon_read_at) >= {}", filters.updated_since
        )
    return " ".join(sql), parameters


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
) -> tuple[SelectionResultsAnswer, list[Variant]]:
    """Applies the action to each listing by itself; answers also the listings that it changed."""
    results = SelectionResultsAnswer()
    changed: list[Variant] = []
    query = (
        caller.scoped(Variant).where(col(Variant.id).in_(set(listing_ids))).order_by(col(Variant.id)).with_for_update()
    )
    found = {variant.id: variant for variant in await session.exec(query)}
    for listing_id in dict.fromkeys(listing_ids):
        variant = found.get(listing_id)
        if variant is None:
            results.errors.append(
                SelectionErrorAnswer(
                    listing_id=listing_id,
                    code="not-found",
                    detail="no such listing in this account",
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
