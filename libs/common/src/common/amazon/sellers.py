"""Sellers API v1: in which marketplaces a seller takes part."""

import msgspec

from common.amazon.client import AmazonClient, Seller
from common.amazon.operations import GET_MARKETPLACE_PARTICIPATIONS


class ParticipatingMarketplace(msgspec.Struct, frozen=True, rename="camel"):
    """A marketplace as Amazon names it for this seller; it may be no store of ours (FACTS 1.5)."""

    id: str
    name: str = ""
    country_code: str | None = None
    default_currency_code: str | None = None
    default_language_code: str | None = None
    domain_name: str | None = None


class Participation(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the seller sells there, and whether Amazon has suspended their listings."""

    is_participating: bool
    has_suspended_listings: bool


class MarketplaceParticipation(msgspec.Struct, frozen=True, rename="camel"):
    """One marketplace of the seller's region. The seller's id is not in it: keep the one of the consent (FACTS 1.5)."""

    marketplace: ParticipatingMarketplace
    participation: Participation
    store_name: str = ""


class _Answer(msgspec.Struct):
    payload: list[MarketplaceParticipation]


async def get_marketplace_participations(client: AmazonClient, seller: Seller) -> list[MarketplaceParticipation]:
    """The seller's marketplaces in their region. One call a minute: for checks, not for every request."""
    return (await client.call(GET_MARKETPLACE_PARTICIPATIONS, seller, into=_Answer)).payload
