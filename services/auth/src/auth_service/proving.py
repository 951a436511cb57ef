"""Whose grant it is. Amazon never says (FACTS 1.5), but shows a seller's listings to that seller's token only."""

from auth_service.checking import participations_of, refusal
from auth_service.settings import AuthSettings
from common.amazon.access import Seller
from common.amazon.client import AmazonClient
from common.amazon.errors import AccessDenied, AmazonError, InvalidInput
from common.amazon.limits import Limits
from common.amazon.listings import search_listings_items
from common.app import Runtime

# Our share of this operation is one call in two seconds; somebody waits for the outcome.
_PATIENCE_SECONDS = 10.0


class _Given:
    """The access token at hand, of a grant that is not kept yet."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    async def get(self, _: Seller) -> str:
        return self._access_token

    async def refused(self, _: Seller, token: str) -> str:
        return token


def amazon_with(runtime: Runtime[AuthSettings], access_token: str) -> AmazonClient:
    """Amazon, called with that access token whoever the seller is."""
    return AmazonClient(
        runtime.http,
        _Given(access_token),
        Limits(runtime.db.engine, runtime.service.name),
        app_ids=runtime.settings.amazon_client_ids,
        endpoints=runtime.settings.amazon_endpoints,
    )


async def is_grant_of(amazon: AmazonClient, seller: Seller, home_marketplace_id: str) -> bool:
    """Whether the token that `amazon` calls with opens this seller's listings; False is also what a missing role looks
    like. Raises what `checking.refusal` makes of any other error."""
    try:
        try:
            return await _opens(amazon, seller, home_marketplace_id)
        except InvalidInput:
            # The seller may not sell there: an authorisation that begins on amazon.com does not say where he does.
            found = await participations_of(amazon, seller)
            other = (entry for entry in found if entry.is_participating and entry.marketplace_id != home_marketplace_id)
            elsewhere = next(other, None)
            if elsewhere is None:
                raise
            return await _opens(amazon, seller, elsewhere.marketplace_id)
    except AmazonError as error:
        raise refusal(error) from None


async def _opens(amazon: AmazonClient, seller: Seller, marketplace_id: str) -> bool:
    try:
        await search_listings_items(
            amazon,
            seller,
            marketplace_id=marketplace_id,
            included_data=("summaries",),
            page_size=1,
            max_wait=_PATIENCE_SECONDS,
        )
    except AccessDenied:
        return False
    return True
