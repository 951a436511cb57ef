"""Asking Amazon in which marketplaces a seller is active: the test of a connection and of a channel (MISSION A6)."""

from uuid import UUID

from auth_service.models import Channel, Connection
from auth_service.notifying import notify
from auth_service.schemas import ChannelTestAnswer, ParticipationAnswer
from common import clock
from common.amazon.access import Seller
from common.amazon.client import AmazonClient
from common.amazon.errors import AccessDenied, AmazonError, Throttled
from common.amazon.marketplaces import is_marketplace, marketplace
from common.amazon.sellers import MarketplaceParticipation, get_marketplace_participations
from common.db import Database
from common.errors import Conflict, Problem, TooManyRequests, Unavailable


class AmazonDeniesAccess(Conflict):
    slug, title = "amazon-denies-access", "Amazon refuses this call although the authorisation holds"
    fix = "The app lacks a role or the seller account is restricted; after a new role the seller consents again"


class AmazonBusy(TooManyRequests):
    slug, title = "amazon-busy", "Amazon's allowance for this check is used up"


class AmazonUnavailableProblem(Unavailable):
    slug, title = "amazon-unavailable", "Amazon does not give a usable answer"
    fix = "Try again in a moment"


async def check(db: Database, amazon: AmazonClient, connection: Connection) -> list[ParticipationAnswer]:
    """Asks Amazon in which marketplaces the seller is active, and keeps what that says of the connection's health; a
    problem that is new leaves a notification. No transaction is open meanwhile. Raises as `participations_of`, and
    `ConnectionIsRevoked` or `ConnectionNotActive` of `access_tokens`.
    """
    seller = Seller(connection.account_id, connection.id, connection.selling_partner_id, connection.region)
    try:
        found = await participations_of(amazon, seller)
    except AmazonDeniesAccess as problem:
        await _keep(db, connection.id, problem)
        raise
    await _keep(db, connection.id, None)
    return found


async def _keep(db: Database, connection_id: UUID, problem: AmazonDeniesAccess | None) -> None:
    async with db.transaction() as session:
        connection = await session.get(Connection, connection_id, with_for_update=True)
        if connection is None:
            return
        before, connection.check_problem = connection.check_problem, problem.slug if problem else None
        connection.checked_at = clock.now()
        if problem is not None and before != problem.slug:
            detail = f"{connection.name}: {problem.title}"
            await notify(
                session,
                connection.account_id,
                problem.slug,
                detail,
                fix=problem.how,
                connection_id=connection.id,
            )


async def participations_of(amazon: AmazonClient, seller: Seller) -> list[ParticipationAnswer]:
    """The Amazon stores that the seller's account takes part in; entries that are no stores are left out (FACTS 1.5).

    Raises `AmazonDeniesAccess`, `AmazonBusy` (with Retry-After) or `AmazonUnavailableProblem`.
    """
    try:
        found = await get_marketplace_participations(amazon, seller)
    except AmazonError as error:
        raise refusal(error) from None
    return [_view(entry) for entry in found if is_marketplace(entry.marketplace.id)]


def refusal(error: AmazonError) -> Problem:
    """What an error of Amazon's means for who asked for a check."""
    match error:
        case Throttled():
            seconds = max(1, round(error.retry_after))
            return AmazonBusy(
                "Amazon allows this check once a minute",
                fix=f"Try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )
        case AccessDenied():
            return AmazonDeniesAccess(amazon_code=error.code, amazon_request_id=error.request_id)
        case _:
            return AmazonUnavailableProblem(str(error))


def channel_test(channel: Channel, found: list[ParticipationAnswer]) -> ChannelTestAnswer:
    """Whether the seller is active where the channel sells. Pure."""
    name = marketplace(channel.marketplace_id).name
    own = next((entry for entry in found if entry.marketplace_id == channel.marketplace_id), None)
    if own is None or not own.is_participating:
        active = ", ".join(entry.name for entry in found if entry.is_participating) or "no marketplace"
        what = f"the seller does not sell in {name}; active in: {active}"
    elif own.has_suspended_listings:
        what = f"Amazon has suspended listings of the seller in {name}"
    else:
        what = f"the seller sells in {name}"
    return ChannelTestAnswer(
        channel_id=channel.id,
        marketplace_id=channel.marketplace_id,
        ok=own is not None and own.active,
        detail=what,
        marketplaces=found,
    )


def _view(entry: MarketplaceParticipation) -> ParticipationAnswer:
    ours = marketplace(entry.marketplace.id)
    state = entry.participation
    return ParticipationAnswer(
        marketplace_id=ours.marketplace_id,
        country_code=ours.country_code,
        name=ours.name,
        store_name=entry.store_name,
        active=state.is_participating and not state.has_suspended_listings,
        is_participating=state.is_participating,
        has_suspended_listings=state.has_suspended_listings,
    )
