"""The 23 marketplaces with our app of each one's region (MISSION A5)."""

from typing import Annotated

from fastapi import APIRouter

from auth_service.schemas import MarketplaceAnswer
from auth_service.settings import AuthSettings
from common.amazon.marketplaces import MARKETPLACES, Marketplace
from common.app import RuntimeDependency
from common.callers import Caller, requires
from common.front_door import Guarded
from common.pages import ByText, Page, PageQuery

router = APIRouter(route_class=Guarded, tags=["marketplaces"])


@router.get("/v1/marketplaces")
async def list_marketplaces(
    _: Annotated[Caller, requires("connections:read")], runtime: RuntimeDependency, paging: PageQuery
) -> Page[MarketplaceAnswer]:
    """Every marketplace, and the developer name and account number that its sellers see when they authorise."""
    after = paging.after(ByText)
    entries = sorted(MARKETPLACES, key=lambda entry: entry.marketplace_id)
    found = [entry for entry in entries if after is None or entry.marketplace_id > after[0]]

    async def count() -> int:
        return len(entries)

    return await paging.page(
        found[: paging.fetched],
        lambda entry: _view(entry, runtime.settings),
        lambda entry: [entry.marketplace_id],
        count,
    )


def _view(entry: Marketplace, settings: AuthSettings) -> MarketplaceAnswer:
    app = settings.app(entry.region)
    return MarketplaceAnswer(
        marketplace_id=entry.marketplace_id,
        country_code=entry.country_code,
        name=entry.name,
        region=entry.region,
        endpoint=settings.amazon_endpoints.get(entry.region, entry.endpoint),
        consent_host=entry.consent_host,
        currency=entry.currency,
        default_language=entry.default_language,
        developer_name=app.developer_name,
        developer_account=app.developer_account,
    )
