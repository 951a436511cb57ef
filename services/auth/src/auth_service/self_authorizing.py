"""A refresh token entered by hand (MISSION A4), of an app that its owner authorised in the console (FACTS 2.3.6).

Nothing is stored before Amazon has accepted the token and said that the seller sells in the home marketplace.
"""

from auth_service.checking import participations_of
from auth_service.connecting import known_marketplace
from auth_service.consent import configured_app
from auth_service.lwa import GrantRefused, Lwa
from auth_service.proving import amazon_with, is_grant_of
from auth_service.settings import AuthSettings
from common.amazon.access import Seller
from common.app import Runtime
from common.errors import InvalidRequest


class RefreshTokenRefused(InvalidRequest):
    slug, title = "refresh-token-refused", "Amazon does not accept this refresh token for our app"
    fix = "Authorise the app again in Seller Central's developer console and enter the token that it shows"


class SellerNotThere(InvalidRequest):
    slug, title = "seller-not-there", "The refresh token's seller does not sell in this marketplace"
    fix = "Choose a marketplace that the seller sells in, or check whose token it is"


class TokenOfAnotherSeller(InvalidRequest):
    slug, title = "token-of-another-seller", "This refresh token does not belong to this merchant token"
    fix = "Enter the merchant token of the account that authorised the app: Seller Central, Account Info"


async def verify_refresh_token(
    runtime: Runtime[AuthSettings], seller: Seller, home_marketplace_id: str, refresh_token: str
) -> str:
    """The refresh token to keep, once Amazon has accepted it for a seller of that marketplace.

    Raises `RefreshTokenRefused`, `SellerNotThere`, `TokenOfAnotherSeller`, or what `Lwa.refresh`,
    `checking.participations_of` and `proving.is_grant_of` raise.
    """
    home = known_marketplace(home_marketplace_id, region=seller.region)
    app = configured_app(runtime.settings, seller.region)
    try:
        tokens = await Lwa(runtime.http, str(runtime.settings.amazon_lwa_url)).refresh(app, refresh_token)
    except GrantRefused:
        raise RefreshTokenRefused from None
    amazon = amazon_with(runtime, tokens.access_token)
    found = await participations_of(amazon, seller)
    if not any(entry.marketplace_id == home.marketplace_id and entry.is_participating for entry in found):
        active = ", ".join(entry.name for entry in found if entry.is_participating) or "no marketplace"
        raise SellerNotThere(f"{home.name} is not among the seller's marketplaces: {active}")
    if not await is_grant_of(amazon, seller, home.marketplace_id):
        raise TokenOfAnotherSeller
    return tokens.refresh_token
