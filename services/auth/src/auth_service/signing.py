"""The keys that sign our JWTs: made when first needed, published as a JWK set, private parts sealed."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import vault
from auth_service.models import SigningKey
from common import clock
from common.bulk import run
from common.callers import ALGORITHM
from common.crypto import KeyRing
from common.db import Database
from common.service_tokens import LOOK_AGAIN_SECONDS

# Two processes that start together must make one key: the advisory lock's number, "sign" in ASCII.
_LOCK = 0x7369676E
# A verifier looks again for an unknown key every `LOOK_AGAIN_SECONDS`, so by then every one of them can know it.
PUBLISHED_BEFORE = timedelta(minutes=1)
# Since the next key was made: its minute, the quarter of an hour that a token lives, and clocks that differ.
KEPT_AFTER = timedelta(hours=1)


async def signing_keys(session: AsyncSession, key_ring: KeyRing) -> list[SigningKey]:
    """All published keys, the newest first; there is always one."""
    newest_first = select(SigningKey).order_by(col(SigningKey.created_at).desc(), col(SigningKey.id))
    found = (await session.exec(newest_first)).all()
    if not found:
        await run(session, "select pg_advisory_xact_lock($1)", _LOCK)
        found = (await session.exec(newest_first)).all()
    return list(found) or [await add_signing_key(session, key_ring)]


def signer(keys: Sequence[SigningKey], now: datetime) -> SigningKey:
    """Of keys, the newest first, the one that signs: the newest that has been published long enough. Pure."""
    return next((key for key in keys if key.created_at <= now - PUBLISHED_BEFORE), keys[-1])


async def rotate(session: AsyncSession, key_ring: KeyRing, every: timedelta) -> tuple[int, int]:
    """Publishes a next key when the newest is as old as `every`, and removes those that nothing valid is signed by any
    more; answers how many of both. Processes that do it at the same time do it once."""
    await run(session, "select pg_advisory_xact_lock($1)", _LOCK)
    now, keys = clock.now(), await signing_keys(session, key_ring)
    added = keys[0].created_at <= now - every
    if added:
        await add_signing_key(session, key_ring)
    signs = signer(keys, now)
    retired = [key for key in keys if key.created_at < signs.created_at and signs.created_at <= now - KEPT_AFTER]
    for key in retired:
        await session.delete(key)
    return int(added), len(retired)


async def add_signing_key(session: AsyncSession, key_ring: KeyRing) -> SigningKey:
    """A new key, published at once; it signs a minute later. What the older ones signed stays valid."""
    private, key_id = Ed25519PrivateKey.generate(), uuid4().hex
    key = SigningKey(
        id=key_id,
        public_key=private.public_key().public_bytes_raw(),
        private_key=vault.seal(key_ring, private.private_bytes_raw(), vault.NOBODY, key_id, "signing_key"),
        created_at=clock.now(),
    )
    session.add(key)
    await session.flush()
    return key


async def sign(session: AsyncSession, key_ring: KeyRing, claims: dict[str, Any]) -> str:
    """The claims as a JWT."""
    key = signer(await signing_keys(session, key_ring), clock.now())
    private = Ed25519PrivateKey.from_private_bytes(
        vault.reveal(key_ring, key.private_key, vault.NOBODY, key.id, "signing_key")
    )
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": key.id})


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """The public part as a JSON Web Key."""
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    return OKPAlgorithm.to_jwk(public, as_dict=True) | {"kid": key.id, "alg": ALGORITHM, "use": "sig"}


class OwnKeys:
    """How auth itself verifies: its keys, read again when an unknown `kid` turns up."""

    def __init__(self, database: Database, key_ring: KeyRing) -> None:
        self._database = database
        self._key_ring = key_ring
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def __call__(self, again: bool) -> Mapping[str, jwt.PyJWK]:
        async with self._lock:
            if not self._keys or (again and time.monotonic() - self._read_at > LOOK_AGAIN_SECONDS):
                self._read_at = time.monotonic()
                async with self._database.transaction() as session:
                    found = await signing_keys(session, self._key_ring)
                self._keys = {key.id: jwt.PyJWK(public_jwk(key)) for key in found}
        return self._keys
