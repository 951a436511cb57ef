"""The 23 marketplaces and three regions of the Selling Partner API, as data (FACTS 1)."""

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from common.contracts.connections import Region


@dataclass(frozen=True, slots=True)
class RegionEndpoint:
    """Where a region's API listens; `aws_region` is what its notification queues must be in."""

    endpoint: str
    sandbox_endpoint: str
    aws_region: str


REGIONS: MappingProxyType[Region, RegionEndpoint] = MappingProxyType(
    {
        "NA": RegionEndpoint(
            "https://sellingpartnerapi-na.amazon.com", "https://sandbox.sellingpartnerapi-na.amazon.com", "us-east-1"
        ),
        "EU": RegionEndpoint(
            "https://sellingpartnerapi-eu.amazon.com", "https://sandbox.sellingpartnerapi-eu.amazon.com", "eu-west-1"
        ),
        "FE": RegionEndpoint(
            "https://sellingpartnerapi-fe.amazon.com", "https://sandbox.sellingpartnerapi-fe.amazon.com", "us-west-2"
        ),
    }
)


class UnknownMarketplace(ValueError):
    """No marketplace has this id; Amazon also lists ids that are not stores (FACTS 1.5)."""

    def __init__(self, marketplace_id: str) -> None:
        super().__init__(f"no Amazon marketplace has the id {marketplace_id!r}")
        self.marketplace_id = marketplace_id


@dataclass(frozen=True, slots=True)
class Marketplace:
    """One Amazon store. Key on its id: Amazon prints the country code `UK`, addresses say `GB` (FACTS 1.2)."""

    marketplace_id: str
    country_code: str
    region: Region
    consent_host: str
    currency: str
    default_language: str
    name: str

    @property
    def endpoint(self) -> str:
        """Base URL of the production API that serves this marketplace."""
        return REGIONS[self.region].endpoint

    @property
    def consent_url(self) -> str:
        """The Seller Central origin whose `/apps/authorize/consent` page is opened (FACTS 2.1)."""
        return f"https://{self.consent_host}"


# Currency and language are defaults; a seller's own come from getMarketplaceParticipations.
MARKETPLACES: tuple[Marketplace, ...] = (
    Marketplace("A2EUQ1WTGCTBG2", "CA", "NA", "sellercentral.amazon.ca", "CAD", "en_CA", "Canada"),
    Marketplace("ATVPDKIKX0DER", "US", "NA", "sellercentral.amazon.com", "USD", "en_US", "United States"),
    Marketplace("A1AM78C64UM0Y8", "MX", "NA", "sellercentral.amazon.com.mx", "MXN", "es_MX", "Mexico"),
    Marketplace("A2Q3Y263D00KWC", "BR", "NA", "sellercentral.amazon.com.br", "BRL", "pt_BR", "Brazil"),
    Marketplace("A28R8C7NBKEWEA", "IE", "EU", "sellercentral.amazon.ie", "EUR", "en_IE", "Ireland"),
    Marketplace("A1RKKUPIHCS9HS", "ES", "EU", "sellercentral-europe.amazon.com", "EUR", "es_ES", "Spain"),
    Marketplace("A1F83G8C2ARO7P", "UK", "EU", "sellercentral-europe.amazon.com", "GBP", "en_GB", "United Kingdom"),
    Marketplace("A13V1IB3VIYZZH", "FR", "EU", "sellercentral-europe.amazon.com", "EUR", "fr_FR", "France"),
    Marketplace("AMEN7PMS3EDWL", "BE", "EU", "sellercentral.amazon.com.be", "EUR", "fr_BE", "Belgium"),
    Marketplace("A1805IZSGTT6HS", "NL", "EU", "sellercentral.amazon.nl", "EUR", "nl_NL", "Netherlands"),
    Marketplace("A1PA6795UKMFR9", "DE", "EU", "sellercentral-europe.amazon.com", "EUR", "de_DE", "Germany"),
    Marketplace("APJ6JRA9NG5V4", "IT", "EU", "sellercentral-europe.amazon.com", "EUR", "it_IT", "Italy"),
    Marketplace("A2NODRKZP88ZB9", "SE", "EU", "sellercentral.amazon.se", "SEK", "sv_SE", "Sweden"),
    Marketplace("AE08WJ6YKNBMC", "ZA", "EU", "sellercentral.amazon.co.za", "ZAR", "en_ZA", "South Africa"),
    Marketplace("A1C3SOZRARQ6R3", "PL", "EU", "sellercentral.amazon.pl", "PLN", "pl_PL", "Poland"),
    Marketplace("ARBP9OOSHTCHU", "EG", "EU", "sellercentral.amazon.eg", "EGP", "ar_AE", "Egypt"),
    Marketplace("A33AVAJ2PDY3EV", "TR", "EU", "sellercentral.amazon.com.tr", "TRY", "tr_TR", "Turkey"),
    Marketplace("A17E79C6D8DWNP", "SA", "EU", "sellercentral.amazon.sa", "SAR", "ar_AE", "Saudi Arabia"),
    Marketplace("A2VIGQ35RCS4UG", "AE", "EU", "sellercentral.amazon.ae", "AED", "en_AE", "United Arab Emirates"),
    Marketplace("A21TJRUUN4KGV", "IN", "EU", "sellercentral.amazon.in", "INR", "en_IN", "India"),
    Marketplace("A19VAU5U5O7RUS", "SG", "FE", "sellercentral.amazon.sg", "SGD", "en_SG", "Singapore"),
    Marketplace("A39IBJ37TRP1C6", "AU", "FE", "sellercentral.amazon.com.au", "AUD", "en_AU", "Australia"),
    Marketplace("A1VC38T7YXB528", "JP", "FE", "sellercentral.amazon.co.jp", "JPY", "ja_JP", "Japan"),
)


@cache
def _by_id() -> dict[str, Marketplace]:
    return {entry.marketplace_id: entry for entry in MARKETPLACES}


def is_marketplace(marketplace_id: str) -> bool:
    """Whether the id names an Amazon store; participations may name others (FACTS 1.5)."""
    return marketplace_id in _by_id()


def marketplace(marketplace_id: str) -> Marketplace:
    """The marketplace with this id. Raises `UnknownMarketplace`."""
    try:
        return _by_id()[marketplace_id]
    except KeyError:
        raise UnknownMarketplace(marketplace_id) from None


def marketplaces_of(region: Region) -> tuple[Marketplace, ...]:
    """The marketplaces one authorisation for `region` covers (FACTS 1.4)."""
    return tuple(entry for entry in MARKETPLACES if entry.region == region)
