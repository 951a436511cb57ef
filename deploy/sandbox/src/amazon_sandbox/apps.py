"""The three development apps this Amazon knows, one for each region; their secrets are public on purpose."""

import secrets
from typing import NamedTuple

import msgspec

from amazon_sandbox.clock import DAY_MS
from amazon_sandbox.marketplaces import REGION_CODES, RegionCode
from amazon_sandbox.roles import USUAL_ROLES

SECRET_LIFE_MS = 180 * DAY_MS  # FACTS 2.5
OLD_SECRET_LIFE_MS = 7 * DAY_MS


class App(NamedTuple):
    """An SP-API app. Its authorisations hold in its own region only (FACTS 1.4)."""

    region: RegionCode
    application_id: str
    client_id: str
    client_secret: str
    developer_name: str


class ClientSecret(msgspec.Struct):
    """`expires_ms` is None for the secret an app starts with: a development secret lives until it is rotated."""

    value: str
    expires_ms: int | None = None
    warned: bool = False

    def holds(self, now_ms: int) -> bool:
        return self.expires_ms is None or now_ms < self.expires_ms


class Registration(msgspec.Struct, eq=False):
    """An app as its developer has registered it in this world; dials change it."""

    app: App
    client_secrets: list[ClientSecret]
    draft: bool = False
    suspended: bool = False
    roles: frozenset[str] = frozenset(USUAL_ROLES)
    secret_queue_arn: str | None = None  # where the two notifications about client secrets go (FACTS 2.5)

    def authenticates(self, client_secret: str, now_ms: int) -> bool:
        """While a secret is being replaced the old one and the new one both do (FACTS 2.5)."""
        given = client_secret.encode()
        return any(
            secrets.compare_digest(given, one.value.encode()) and one.holds(now_ms) for one in self.client_secrets
        )

    def rotate(self, new_secret: str, now_ms: int) -> ClientSecret:
        """The new secret; those there were hold for seven more days at most."""
        last_ms = now_ms + OLD_SECRET_LIFE_MS
        held = [one for one in self.client_secrets if one.holds(now_ms)]
        for one in held:
            one.expires_ms = last_ms if one.expires_ms is None else min(one.expires_ms, last_ms)
            one.warned = True  # whoever rotates needs no warning
        new = ClientSecret(new_secret, now_ms + SECRET_LIFE_MS)
        self.client_secrets = [*held, new]
        return new


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


def registrations() -> dict[str, Registration]:
    """The apps of a new world, by client id."""
    return {app.client_id: Registration(app, [ClientSecret(app.client_secret)]) for app in APPS}
