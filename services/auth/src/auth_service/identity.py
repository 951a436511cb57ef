"""Platform identity (MISSION A9): accounts, API keys, and the short-lived JWT that a key is exchanged for."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing, signing, vault
from auth_service.models import Account, ApiKey
from auth_service.scopes import ACCOUNT_SCOPES, OPERATOR_SCOPES, SERVICE_SCOPES
from common import clock
from common.bulk import run
from common.callers import Caller
from common.contracts.http import TokenAnswer
from common.crypto import KeyRing
from common.errors import Forbidden, InvalidRequest, Unauthenticated
from common.settings import AUDIENCE

KEY_PREFIX = "ent_"
TOKEN_LIFE = timedelta(minutes=15)
# `last_used_at` is for people: a key in constant use costs one write a minute.
LAST_USED_GRAIN = timedelta(minutes=1)


class InvalidApiKey(Unauthenticated):
    slug, title = "invalid-api-key", "This API key is not accepted"
    fix = "Send a key of yours that is neither revoked nor expired; an administrator makes one at POST /v1/api-keys"


class UnknownScope(InvalidRequest):
    slug, title = "unknown-scope", "There is no such scope"


class ScopeNotHeld(Forbidden):
    slug, title = "scope-not-held", "A key cannot grant what it does not hold itself"


class UnknownAccount(Forbidden):
    slug, title = "unknown-account", "The token names an account that does not exist here"
    fix = "The operator makes it with the issuer's id: python -m auth_service create-account NAME --account-id ID"


class ExpiryInThePast(InvalidRequest):
    slug, title = "expiry-in-the-past", "expires_at must be in the future"


async def create_account(
    session: AsyncSession, name: str, account_id: UUID | None = None
) -> tuple[Account, ApiKey, str]:
    """A new account with a first key that holds every scope of an account. The key's text is answered only here.

    `account_id`: what an external issuer calls it. Raises `InvalidRequest` when there is one of that id.
    """
    account = Account(id=account_id or uuid4(), name=name, created_at=clock.now())
    if await session.get(Account, account.id) is not None:
        raise InvalidRequest(f"there is an account {account.id} already")
    session.add(account)
    await session.flush()
    key, text = await _add_key(session, account.id, "first key", ACCOUNT_SCOPES, created_by=auditing.COMMAND_LINE)
    return account, key, text


async def refuse_unknown(session: AsyncSession, account_id: UUID) -> None:
    """Raises `UnknownAccount`: an external issuer may name any."""
    if await session.get(Account, account_id) is None:
        raise UnknownAccount


async def create_service_key(session: AsyncSession, name: str) -> tuple[ApiKey, str]:
    """A key for one of the platform's own services; its tokens name the nil UUID as account."""
    return await _add_key(session, None, name, SERVICE_SCOPES, created_by=auditing.COMMAND_LINE)


async def create_operator_key(session: AsyncSession, name: str) -> tuple[ApiKey, str]:
    """A key for whoever runs the platform."""
    return await _add_key(session, None, name, OPERATOR_SCOPES, created_by=auditing.COMMAND_LINE)


async def register_service_key(session: AsyncSession, name: str, text: str) -> bool:
    """Accepts a key that the operator made (a Kubernetes secret, a compose file); whether it was new.

    Raises `InvalidRequest` for one that is too short to be safe or lacks the prefix.
    """
    if not text.startswith(KEY_PREFIX) or len(text) < len(KEY_PREFIX) + 32:
        raise InvalidRequest(f"the key of {name} must begin with {KEY_PREFIX} and have 32 random characters or more")
    # Two set-ups at once register the same key: the second waits and finds it.
    await run(session, "select pg_advisory_xact_lock(hashtext('register_service_key'))")
    known = (await session.exec(select(ApiKey).where(col(ApiKey.key_hash) == _hash(text)))).one_or_none()
    if known is None:
        await _add_key(session, None, name, SERVICE_SCOPES, created_by=auditing.COMMAND_LINE, text=text)
    return known is None


async def create_api_key(
    session: AsyncSession, caller: Caller, name: str, scopes: Collection[str], expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """A further key of the caller's account.

    Raises `UnknownScope`, `ScopeNotHeld`, `ExpiryInThePast` or `UnknownAccount`.
    """
    if unknown := sorted(set(scopes) - set(ACCOUNT_SCOPES)):
        raise UnknownScope(f"no such scope: {', '.join(unknown)}", fix=f"Choose of {', '.join(ACCOUNT_SCOPES)}")
    if lacking := sorted(set(scopes) - caller.scopes):
        raise ScopeNotHeld(f"you do not hold {', '.join(lacking)}")
    if expires_at is not None and expires_at <= clock.now():
        raise ExpiryInThePast
    await refuse_unknown(session, caller.account_id)
    return await _add_key(session, caller.account_id, name, sorted(set(scopes)), caller.subject, expires_at)


async def _add_key(
    session: AsyncSession,
    account_id: UUID | None,
    name: str,
    scopes: Sequence[str],
    created_by: str,
    expires_at: datetime | None = None,
    text: str = "",
) -> tuple[ApiKey, str]:
    text = text or KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        account_id=account_id,
        name=name,
        key_hash=_hash(text),
        scopes=list(scopes),
        created_by=created_by,
        created_at=clock.now(),
        expires_at=expires_at,
    )
    session.add(key)
    await session.flush()
    await auditing.record(
        session, account_id or vault.NOBODY, created_by, "api_key.created", key.id, name=name, scopes=list(scopes)
    )
    return key, text


async def revoke_api_key(session: AsyncSession, caller: Caller, key_id: UUID) -> None:
    """From now on the key gets no token; tokens it got before live out their quarter of an hour."""
    key = await caller.one(session, ApiKey, key_id, lock=True)
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        await auditing.record(session, caller.account_id, caller.subject, "api_key.revoked", key.id, name=key.name)


async def exchange(
    session: AsyncSession,
    key_ring: KeyRing,
    issuer: str,
    text: str,
    *,
    client_id: str | None = None,
    wanted: Collection[str] = (),
) -> TokenAnswer:
    """The JWT for an API key, in the form that `common.callers.Verifier` accepts; of the key's scopes only those that
    are `wanted`, if any are named. Raises `InvalidApiKey` (also for a `client_id` that is not the key's id) or
    `ScopeNotHeld`.
    """
    key = await _key(session, text)
    if client_id is not None and client_id != str(key.id):
        raise InvalidApiKey("client_id is the id of another API key")
    if lacking := sorted(set(wanted) - set(key.scopes)):
        raise ScopeNotHeld(f"the key does not hold {', '.join(lacking)}")
    scope = " ".join(one for one in key.scopes if one in wanted or not wanted)
    now = clock.now()
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": f"key:{key.id}",
        "account": str(key.account_id or vault.NOBODY),
        "scope": scope,
        "iat": now,
        "exp": min(now + TOKEN_LIFE, key.expires_at or datetime.max.replace(tzinfo=now.tzinfo)),
    }
    token = await signing.sign(session, key_ring, claims)
    await run(
        session,
        "update api_key set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $3)",
        key.id,
        now,
        now - LAST_USED_GRAIN,
    )
    return TokenAnswer(access_token=token, expires_in=int((claims["exp"] - now).total_seconds()), scope=scope)


async def _key(session: AsyncSession, text: str) -> ApiKey:
    # The text is 256 random bits, so the index lookup by its hash tells a guesser nothing about it.
    digest = _hash(text)
    key = (await session.exec(select(ApiKey).where(col(ApiKey.key_hash) == digest))).one_or_none()
    if key is None or not hmac.compare_digest(key.key_hash, digest):
        raise InvalidApiKey("no such API key")
    if key.revoked_at is not None:
        raise InvalidApiKey("the API key was revoked")
    if key.expires_at is not None and key.expires_at <= clock.now():
        raise InvalidApiKey("the API key has expired")
    return key


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
