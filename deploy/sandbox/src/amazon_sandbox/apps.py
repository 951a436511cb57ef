"""The three development apps this Amazon knows, one for each region; their secrets are public on purpose."""

from typing import NamedTuple

from amazon_sandbox.marketplaces import REGION_CODES, RegionCode


class App(NamedTuple):
    """An SP-API app. Its authorisations hold in its own region only (FACTS 1.4)."""

    region: RegionCode
    application_id: str
    client_id: str
    client_secret: str
    developer_name: str


def _app(region: RegionCode) -> App:
    suffix = region.lower()
    return App(
        region=region,
        application_id=f"amzn1.sellerapps.app.entrepot-dev-{suffix}",
        client_id=f"amzn1.application-oa2-client.entrepot-dev-{suffix}",
        client_secret=f"dev-only-secret-{suffix}",
        developer_name=f"Entrepot Development {region}",
    )


APPS = tuple(_app(region) for region in REGION_CODES)
APP_BY_APPLICATION_ID = {app.application_id: app for app in APPS}
APP_BY_CLIENT_ID = {app.client_id: app for app in APPS}
