"""Authorisations that begin at Amazon (MISSION A3): the Appstore's "Authorize now" and every yearly renewal.

Amazon opens our login URI; what it says is kept for ten minutes until somebody of an account claims it. The claim makes
or finds the connection and answers where the browser goes: back to Amazon, which then ends as in `consent.py`.
"""

import secrets
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing, callback_uris, vault
from auth_service.connecting import find_or_create_connection
from auth_service.consent import OtherBrowser, new_state
from auth_service.models import Authorization, Connection
from auth_service.settings import AuthSettings
from common import clock
from common.callers import Caller
from common.contracts.connections import Region
from common.crypto import KeyRing
from common.errors import InvalidRequest, NotFound

CLAIM_LIFE = timedelta(minutes=10)
REGIONS: tuple[Region, ...] = ("NA", "EU", "FE")


class NotAmazon(InvalidRequest):
    slug, title = "callback-not-amazon", "amazon_callback_uri does not lead to Amazon's confirmation of our app"
    fix = "Begin again in Seller Central: Apps and Services, Manage Your Apps"


class AuthorizationExpired(InvalidRequest):
    slug, title = "authorization-expired", "This authorisation was not claimed within ten minutes"
    fix = "Begin again in Seller Central: Apps and Services, Manage Your Apps"


async def keep_authorization(
    session: AsyncSession,
    settings: AuthSettings,
    key_ring: KeyRing,
    *,
    amazon_callback_uri: str,
    amazon_state: str,
    selling_partner_id: str,
    draft: bool,
    browser: bytes | None,
) -> UUID:
    """Keeps what Amazon opened the login URI with (FACTS 2.2); answers the id to claim. Raises `NotAmazon`."""
    app_ids = {region: settings.app(region).application_id for region in REGIONS}
    callback = callback_uris.accepted(amazon_callback_uri, app_ids, settings.amazon_consent_url.rstrip("/"))
    if callback is None:
        raise NotAmazon
    now = clock.now()
    kept = Authorization(
        selling_partner_id=selling_partner_id,
        region=callback.region,
        home_marketplace_id=callback.home_marketplace_id,
        callback_uri=callback.uri,
        amazon_state=b"",
        draft=draft,
        browser_hash=browser,
        created_at=now,
        expires_at=now + CLAIM_LIFE,
    )
    kept.amazon_state = vault.seal(key_ring, amazon_state.encode(), vault.NOBODY, kept.id, "amazon_state")
    session.add(kept)
    await session.flush()
    return kept.id


async def claim_authorization(
    session: AsyncSession,
    settings: AuthSettings,
    key_ring: KeyRing,
    caller: Caller,
    authorization_id: UUID,
    *,
    browser: bytes | None,
) -> tuple[Connection, str]:
    """The connection that it will authorise, and the URL to send the browser to. The first account to claim has it; a
    repeat by the same one answers a fresh URL.

    Raises `NotFound`, `AuthorizationExpired`, `OtherBrowser` or `ConnectionIsDisabled`.
    """
    query = select(Authorization).where(col(Authorization.id) == authorization_id).with_for_update()
    kept = (await session.exec(query)).one_or_none()
    if kept is None or kept.account_id not in (None, caller.account_id):
        raise NotFound(f"no Authorization {authorization_id} for this account")
    if kept.expires_at <= clock.now():
        raise AuthorizationExpired
    if kept.browser_hash is not None and not secrets.compare_digest(kept.browser_hash, browser or b""):
        raise OtherBrowser
    connection = await find_or_create_connection(
        session, caller, kept.selling_partner_id, kept.home_marketplace_id, name=f"Amazon {kept.selling_partner_id}"
    )
    if kept.account_id is None:
        kept.account_id = caller.account_id
        facts = {"selling_partner_id": kept.selling_partner_id, "region": kept.region}
        await auditing.record(
            session, caller.account_id, caller.subject, "authorization.claimed", connection.id, **facts
        )
    state = await new_state(session, connection, actor=caller.subject, browser=browser)
    amazon_state = vault.reveal(key_ring, kept.amazon_state, vault.NOBODY, kept.id, "amazon_state")
    parameters = {"amazon_state": amazon_state.decode(), "state": state}
    if settings.amazon_redirect_uri:
        parameters["redirect_uri"] = settings.amazon_redirect_uri
    if kept.draft:
        parameters["version"] = "beta"
    return connection, f"{kept.callback_uri}{'&' if '?' in kept.callback_uri else '?'}{urlencode(parameters)}"
