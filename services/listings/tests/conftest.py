"""A shop with the listings service and a seller at the local Amazon."""

from uuid import uuid4

import pytest_asyncio

from common.contracts.connections import Region
from common.testing.amazon import Amazon
from common.testing.identity import Issuer
from common.testing.plugin import RunService
from listings_service.app import SERVICE
from listings_service.testing import SCOPES, US, OpenShop, Shop


@pytest_asyncio.fixture
async def open_shop(amazon: Amazon, run_service: RunService, issuer: Issuer) -> OpenShop:
    """`await open_shop(marketplaces=(US,), beside=None)`: a seller with a connected channel per marketplace.

    `beside`: another shop, whose service the new one shares.
    """

    async def open_one(
        *,
        marketplaces: tuple[str, ...] = (US,),
        region: Region = "NA",
        selling_partner_id: str = "A1TESTSELLER",
        beside: Shop | None = None,
        read_back_delays: str = "0,0.05,0.1,0.2",
    ) -> Shop:
        service = (
            beside.service
            if beside
            else await run_service(SERVICE, amazon=amazon, sync_every_seconds=3600, read_back_delays=read_back_delays)
        )
        account_id = uuid4()
        shop = Shop(service, amazon, issuer.headers(account_id, *SCOPES), account_id, selling_partner_id, region)
        shop.channels = {marketplace_id: uuid4() for marketplace_id in marketplaces}
        await amazon.seller(
            account_id,
            shop.connection_id,
            selling_partner_id=selling_partner_id,
            region=region,
            marketplace_ids=marketplaces,
        )
        await shop.connect()
        await shop.work()  # the first scheduled sync; the next one is an hour away
        return shop

    return open_one


@pytest_asyncio.fixture
async def shop(open_shop: OpenShop) -> Shop:
    return await open_shop()
