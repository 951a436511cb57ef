"""A refresh token entered by hand (MISSION A4), of an app that its owner authorised in the console (FACTS 2.3.6).

Nothing is stored before Amazon has accepted the token and said that the seller sells in the home marketplace.
"""

from auth_service.checking import participations_of, refusal
from auth_service.connecting import known_marketplace
from auth_service.consent import configured_app
from auth_service.lwa import GrantRefused, Lwa
from auth_service.settings import AuthSettings
from common.amazon.access import Seller
from common.amazon.client import AmazonClient
from common.amazon.errors import AccessDenied, AmazonError
from common.amazon.limits import Limits
from common.amazon.listings import search_listings_items
from common.app import Runtime
from common.errors import InvalidRequest

# Our share of this operation is one call in two seconds; whoever enters a token waits for it.
_PATIENCE_SECONDS = 10.0


class RefreshTokenRefused(InvalidRequest):
    slug, title = "refresh-token-refused", "Amazon does not accept this refresh token for our app"
    fix = "Authorise the app again in Seller Central's developer console and enter the token that it shows"


class SellerNotThere(InvalidRequest):
    slug, title = "seller-not-there", "The refresh token's seller does not sell in this marketplace"
    fix = "Choose a marketplace that the seller sells in, or check whose token it is"


class TokenOfAnotherSeller(InvalidRequest):
    slug, title = "token-of-another-seller", "This refresh token does not belong to this merchant token"
    fix = "Enter the merchant token of the account that authorised the app: Seller Central, Account Info"


class _Given:
    """The access token at hand, for a connection that does not exist yet."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    async def get(self, _: Seller) -> str:
        return self._access_token

    async def refused(self, _: Seller, token: str) -> str:
        return token


async def verify_refresh_token(
    runtime: Runtime[AuthSettings], seller: Seller, home_marketplace_id: str, refresh_token: str
) -> str:
    """The refresh token to keep, once Amazon has accepted it for a seller of that marketplace.

    Amazon never says whose token it is (FACTS 1.5), but shows a seller's listings to that seller's token only. Raises
    `RefreshTokenRefused`, `SellerNotThere`, `TokenOfAnotherSeller`, or what `Lwa.refresh` and
    `checking.participations_of` raise.
    """
    home = known_marketplace(home_marketplace_id, region=seller.region)
    app = configured_app(runtime.settings, seller.region)
    try:
        tokens = await Lwa(runtime.http, str(runtime.settings.amazon_lwa_url)).refresh(app, refresh_token)
    except GrantRefused:
        raise RefreshTokenRefused from None
    amazon = AmazonClient(
        runtime.http,
        _Given(tokens.access_token),
        Limits(runtime.db.engine, runtime.service.name),
        app_ids=runtime.settings.amazon_client_ids,
        endpoints=runtime.settings.amazon_endpoints,
    )
    found = await participations_of(amazon, seller)
    if not any(entry.marketplace_id == home.marketplace_id and entry.is_participating for entry in found):
        active = ", ".join(entry.name for entry in found if entry.is_participating) or "no marketplace"
        raise SellerNotThere(f"{home.name} is not among the seller's marketplaces: {active}")
    try:
        await search_listings_items(
            amazon,
            seller,
            marketplace_id=home.marketplace_id,
            included_data=("summaries",),
            page_size=1,
            max_wait=_PATIENCE_SECONDS,
        )
    except AccessDenied:
        raise TokenOfAnotherSeller from None
    except AmazonError as error:
        raise refusal(error) from None
    return tokens.refresh_token
