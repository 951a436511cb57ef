"""Consent (MISSION A1, A2): the address of the seller's consent page, and what comes back from it."""

import hashlib
import secrets
from datetime import timedelta
from urllib.parse import urlencode

import structlog
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service.granting import ConnectionIsDisabled, grant
from auth_service.lwa import GrantRefused, Lwa
from auth_service.models import Connection, Consent
from auth_service.proving import amazon_with, is_grant_of
from auth_service.settings import AppIdentity, AuthSettings
from common import clock
from common.amazon.access import Seller
from common.amazon.marketplaces import marketplace
from common.app import Runtime
from common.contracts.connections import Region
from common.errors import Conflict, Forbidden, InvalidRequest, Unavailable

log = structlog.get_logger()

STATE_LIFE = timedelta(minutes=10)
# From the callback to the grant's being kept: one call for the tokens, one that proves whose they are.
_COMPLETION = timedelta(seconds=30)
_ASK_AGAIN = "Ask for a new consent page: POST /v1/connections/{id}/consent"


class AppNotConfigured(Unavailable):
    slug, title = "amazon-app-not-configured", "This installation has no Amazon app for that region"

    def __init__(self, region: Region) -> None:
        super().__init__(
            f"no app is configured for region {region}",
            fix=f"Set AMAZON_APP_ID_{region}, AMAZON_CLIENT_ID_{region} and AMAZON_CLIENT_SECRET_{region}",
        )


class ConsentUnknown(InvalidRequest):
    slug, title = "consent-unknown", "This consent was not started here"
    fix = _ASK_AGAIN


class ConsentUsed(Conflict):
    slug, title = "consent-used", "This consent has been used already"
    fix = "If the connection is not active, a" + _ASK_AGAIN[1:]


class ConsentExpired(InvalidRequest):
    slug, title = "consent-expired", "This consent took longer than ten minutes"
    fix = _ASK_AGAIN


class OtherBrowser(Forbidden):
    slug, title = "consent-of-another-browser", "This consent was begun in another browser"
    fix = (
        "Open the consent page in the browser that asked for it (its answer sets a cookie), within ten minutes; "
        "CONSENT_BROWSER_BOUND=false where a backend asks for it"
    )


class WrongSeller(InvalidRequest):
    slug, title = "wrong-seller", "Another seller account gave this consent"
    fix = "Sign in to Seller Central as the connection's seller and a" + _ASK_AGAIN[1:]


class CodeRefused(InvalidRequest):
    slug, title = "consent-code-refused", "Amazon does not accept the authorization code"
    fix = "Codes live five minutes and work once. " + _ASK_AGAIN


async def begin_consent(
    session: AsyncSession, settings: AuthSettings, connection: Connection, *, actor: str, browser: bytes | None
) -> str:
    """The URL of the consent page (FACTS 2.1), good for ten minutes, one use, and one browser (see `browsers.py`).

    Raises `AppNotConfigured` or `ConnectionIsDisabled`.
    """
    app = configured_app(settings, connection.region)
    state = await new_state(session, connection, actor=actor, browser=browser)
    origin = settings.amazon_consent_url.rstrip("/") or marketplace(connection.home_marketplace_id).consent_url
    query = {"application_id": app.application_id, "state": state}
    if settings.amazon_redirect_uri:
        query["redirect_uri"] = settings.amazon_redirect_uri
    if app.is_draft:
        query["version"] = "beta"  # MD1000 without it while the app is a draft, and with it afterwards
    return f"{origin}/apps/authorize/consent?{urlencode(query)}"


def configured_app(settings: AuthSettings, region: Region) -> AppIdentity:
    """Our app of that region. Raises `AppNotConfigured`."""
    app = settings.app(region)
    if not (app.application_id and app.client_id):
        raise AppNotConfigured(region)
    return app


async def new_state(session: AsyncSession, connection: Connection, *, actor: str, browser: bytes | None) -> str:
    """256 random bits that stand for one consent of this connection; stored as their SHA-256.

    Raises `ConnectionIsDisabled`.
    """
    if connection.status == "disabled":
        raise ConnectionIsDisabled
    now = clock.now()
    await session.exec(
        delete(Consent).where(col(Consent.connection_id) == connection.id, col(Consent.expires_at) < now - STATE_LIFE)
    )
    state = secrets.token_urlsafe(32)
    session.add(
        Consent(
            state_hash=_hash(state),
            account_id=connection.account_id,
            connection_id=connection.id,
            region=connection.region,
            begun_by=actor,
            browser_hash=browser,
            expires_at=now + STATE_LIFE,
        )
    )
    await session.flush()
    return state


async def complete_consent(
    runtime: Runtime[AuthSettings],
    lwa: Lwa,
    *,
    state: str,
    selling_partner_id: str,
    code: str,
    browser: bytes | None = None,
) -> Connection:
    """Turns what Amazon sent the browser back with into an active connection.

    The browser says which seller consented; Amazon has to bear it out before anything is kept. A process that dies
    between the steps leaves a used state and a connection as it was: the consent is repeated. Raises `ConsentUnknown`,
    `ConsentUsed`, `ConsentExpired`, `OtherBrowser`, `ConnectionIsDisabled`, `WrongSeller`, `CodeRefused` or what `Lwa`
    and `proving.is_grant_of` raise.
    """
    async with runtime.db.transaction() as session:
        consent, connection = await _claim(session, state, browser)
    if not secrets.compare_digest(connection.selling_partner_id.encode(), selling_partner_id.encode()):
        log.warning("consent_of_another_seller", connection_id=str(connection.id))
        raise WrongSeller
    settings = runtime.settings
    try:
        tokens = await lwa.exchange_code(settings.app(consent.region), code, settings.amazon_redirect_uri)
    except GrantRefused:
        raise CodeRefused from None
    seller = Seller(connection.account_id, connection.id, connection.selling_partner_id, connection.region)
    try:
        proved = await is_grant_of(amazon_with(runtime, tokens.access_token), seller, connection.home_marketplace_id)
    except Unavailable:
        if connection.authorized_at is None:
            raise
        # A renewal: Amazon has ended the old grant, which proved the seller; without this one there would be none.
        proved = True
    if not proved:
        log.warning("grant_of_another_seller", connection_id=str(connection.id))
        raise WrongSeller(
            "Amazon does not show this seller's listings to the grant",
            fix=f"{WrongSeller.fix}; our app needs the role Product Listing",
        )
    async with runtime.db.transaction() as session:
        authorized = await session.get(Connection, connection.id, with_for_update=True)
        if authorized is None:
            raise ConsentUnknown("the connection was deleted meanwhile")
        await grant(session, runtime.key_ring, authorized, tokens.refresh_token, actor=consent.begun_by)
        return authorized


async def is_being_completed(session: AsyncSession, connection: Connection) -> bool:
    """Whether a consent may just be replacing the connection's grant: Amazon ends the old one before we keep the new
    one."""
    under_way = select(Consent.state_hash).where(
        col(Consent.connection_id) == connection.id,
        col(Consent.used_at) > clock.now() - _COMPLETION,
        col(Consent.used_at) > connection.authorized_at,
    )
    return (await session.exec(under_way)).first() is not None


async def _claim(session: AsyncSession, state: str, browser: bytes | None) -> tuple[Consent, Connection]:
    """Marks the state as used. Of any number of callers at once one gets it, the others wait and are refused."""
    consent = await session.get(Consent, _hash(state), with_for_update=True)
    if consent is None:
        raise ConsentUnknown
    if consent.used_at is not None:
        raise ConsentUsed
    if consent.expires_at <= clock.now():
        raise ConsentExpired
    if consent.browser_hash is not None and not secrets.compare_digest(consent.browser_hash, browser or b""):
        # The state stays unused: whoever sends a stranger this way does not end the owner's consent.
        log.warning("consent_of_another_browser", connection_id=str(consent.connection_id))
        raise OtherBrowser
    connection = await session.get_one(Connection, consent.connection_id)
    if connection.status == "disabled":
        # Its code stays unused as well: redeeming it would end the grant that the connection is enabled with.
        raise ConnectionIsDisabled
    consent.used_at = clock.now()
    return consent, connection


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
