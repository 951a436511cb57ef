"""Wires auth: it verifies with its own keys and calls Amazon with its own tokens, never over HTTP to itself."""

from auth_service.access_tokens import TokenBroker
from auth_service.jobs import background, runners
from auth_service.lwa import Lwa
from auth_service.routes import ROUTERS
from auth_service.settings import AuthSettings
from auth_service.signing import OwnKeys
from auth_service.vault import SEALED
from common.app import Runtime, Service


def _keys(runtime: Runtime[AuthSettings]) -> OwnKeys:
    return OwnKeys(runtime.db, runtime.key_ring)


def _access(runtime: Runtime[AuthSettings]) -> TokenBroker:
    lwa = Lwa(runtime.http, str(runtime.settings.amazon_lwa_url))
    return TokenBroker(runtime.db, lwa, runtime.settings, runtime.key_ring)


SERVICE = Service(
    name="auth",
    package="auth_service",
    settings=AuthSettings,
    routers=ROUTERS,
    operations=runners,
    background=background,
    keys=_keys,
    access=_access,
    sealed=SEALED,
)
