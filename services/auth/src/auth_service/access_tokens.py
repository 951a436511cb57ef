"""Amazon access tokens (MISSION A8): minted from the sealed refresh token, kept until shortly before they expire.

One refresh at a time per connection: one task in this process, one lease across replicas; and after a failure one pause
for all of them (`cooling.py`). No transaction is open while Amazon answers; a process that dies then leaves a lease
that runs out.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing, cooling, vault
from auth_service.announcing import move
from auth_service.consent import is_being_completed
from auth_service.lifecycle import CALLABLE, Status
from auth_service.lwa import AppRefused, GrantRefused, Lwa, LwaUnavailable, Tokens
from auth_service.models import AccessToken, Connection
from auth_service.settings import AuthSettings
from common import clock
from common.amazon.access import Seller
from common.bulk import run
from common.contracts.connections import Region
from common.contracts.http import AccessTokenAnswer
from common.crypto import KeyRing
from common.db import Database
from common.errors import Conflict, ConnectionNotActiveProblem
from common.reading import Reads

log = structlog.get_logger()

# Of a token's life: 55 of Amazon's 60 minutes (FACTS 2.3.2).
RENEW_AFTER = 11 / 12
# While no other is to be had, a token is handed out as long as its receiver can still use it for a moment.
LEAST_LIFE = timedelta(seconds=30)
LEASE = timedelta(seconds=20)
# How long to wait for what another replica is asking: doubled each time, for Amazon may take the whole lease.
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.05, 1.0
REFUSED_CHARACTERS = 8
_NO_TIME = timedelta(0)

refreshes = Counter("entrepot_lwa_refreshes_total", "Access tokens asked of Login with Amazon", ["outcome"])


class ConnectionIsRevoked(Conflict):
    slug, title = "connection-revoked", "The seller's authorisation no longer holds"
    fix = "The seller consents again: POST /v1/connections/{id}/consent"


@dataclass(frozen=True, slots=True)
class _Lease:
    """The right to ask Amazon for the next token of one connection."""

    id: UUID
    connection: Connection
    sealed_grant: bytes = field(repr=False)
    settles: bool
    failures: int


class TokenBroker:
    """Hands out access tokens; also what auth's own Amazon client uses (`common.amazon.access.AccessTokens`), which
    then meets the problems below instead of Amazon errors."""

    def __init__(self, db: Database, lwa: Lwa, settings: AuthSettings, key_ring: KeyRing) -> None:
        self._db = db
        self._reads = Reads(db.engine)
        self._lwa = lwa
        self._settings = settings
        self._key_ring = key_ring
        self._refreshing: dict[tuple[UUID, UUID], asyncio.Task[AccessTokenAnswer]] = {}

    async def get(self, seller: Seller) -> str:
        return (await self.hand_out(seller.account_id, seller.connection_id)).access_token

    async def refused(self, seller: Seller, token: str) -> str:
        return (await self.hand_out(seller.account_id, seller.connection_id, token[-REFUSED_CHARACTERS:])).access_token

    async def hand_out(self, account_id: UUID, connection_id: UUID, refused: str | None = None) -> AccessTokenAnswer:
        """A token of this connection of this account; not the one whose last characters are `refused`.

        Raises `ConnectionIsRevoked` or `ConnectionNotActiveProblem`; with Retry-After `LwaUnavailable` or `AppRefused`,
        when there is neither a new token nor an old one that still works.
        """
        row = await self._reads.row(_HELD, account_id, connection_id)
        held = _checked(_Held(**row) if row else None)
        present = self._present(account_id, connection_id, held)
        if present is not None and not _is_due(present, held, refused):
            if _is_refused(present, refused) and not held.refused_as_well:
                await self._note_refusal(connection_id, held)
            return present
        try:
            if held.pause is not None and held.pause > _NO_TIME:
                raise cooling.problem(held.region, held.app_refusal, held.pause)
            return await self._next(account_id, connection_id, refused)
        except (LwaUnavailable, AppRefused):
            # A token that is due for renewal still works; a refused one does not.
            if present is None or _is_refused(present, refused):
                raise
            return present

    async def _note_refusal(self, connection_id: UUID, held: "_Held") -> None:
        async with self._db.transaction() as session:
            await run(
                session,
                "update access_token set refused_as_well = true where connection_id = $1 and token = $2",
                connection_id,
                held.token,
            )

    async def _next(self, account_id: UUID, connection_id: UUID, refused: str | None) -> AccessTokenAnswer:
        key = (account_id, connection_id)
        task = self._refreshing.get(key)
        if task is None:
            task = self._refreshing[key] = asyncio.create_task(self._refresh(account_id, connection_id, refused))
            task.add_done_callback(lambda _: self._refreshing.pop(key))
        # Shielded: a caller who hangs up does not take the token from those who wait with it.
        return await asyncio.shield(task)

    async def _refresh(self, account_id: UUID, connection_id: UUID, refused: str | None) -> AccessTokenAnswer:
        poll_seconds = FIRST_POLL_SECONDS
        while True:
            async with self._db.transaction() as session:
                claimed = await self._claim(session, account_id, connection_id, refused)
            if isinstance(claimed, AccessTokenAnswer):
                return claimed
            if claimed is None:
                await asyncio.sleep(poll_seconds)
                poll_seconds = min(poll_seconds * 2, LONGEST_POLL_SECONDS)
                continue
            try:
                return await self._ask_amazon(claimed)
            except GrantRefused:
                refreshes.labels("refused").inc()
                # False: the seller consents again or has done so, and there is a new grant to wait for or to try.
                if await self._revoke(claimed):
                    raise ConnectionIsRevoked from None

    async def _claim(
        self, session: AsyncSession, account_id: UUID, connection_id: UUID, refused: str | None
    ) -> _Lease | AccessTokenAnswer | None:
        """The lease; or the token that somebody else got meanwhile; or None while somebody else is asking. Raises
        `LwaUnavailable` or `AppRefused` when somebody else has just asked in vain."""
        # The key share keeps a new consent, a revocation or a deletion out until this transaction ends.
        await run(
            session,
            "insert into access_token (connection_id, account_id) select id, account_id from connection "
            "where id = $1 and account_id = $2 for key share on conflict do nothing",
            connection_id,
            account_id,
        )
        connection = await _connection(session, account_id, connection_id)
        kept = await session.get_one(AccessToken, connection_id, with_for_update=True, populate_existing=True)
        held = _Held(
            connection.status,
            connection.selling_partner_id,
            connection.region,
            kept.token,
            kept.renew_at,
            kept.expires_at,
            kept.replaced_refused_at,
            kept.refused_as_well,
        )
        present = self._present(account_id, connection_id, held)
        if present is not None and not _is_due(present, held, refused):
            return present
        now = await _database_time(session)
        if kept.lease_until is not None and kept.lease_until > now:
            return None
        if kept.ask_again_at is not None and kept.ask_again_at > now:
            raise cooling.problem(connection.region, kept.app_refusal, kept.ask_again_at - now)
        assert connection.refresh_token is not None  # `CALLABLE` connections hold one
        kept.lease_id, kept.lease_until = uuid4(), now + LEASE
        settles = kept.refused_as_well or (present is not None and _is_refused(present, refused))
        return _Lease(kept.lease_id, connection, connection.refresh_token, settles, kept.failures)

    async def _ask_amazon(self, lease: _Lease) -> AccessTokenAnswer:
        connection, asked_at = lease.connection, clock.now()
        try:
            grant = vault.reveal(
                self._key_ring, lease.sealed_grant, connection.account_id, connection.id, "refresh_token"
            )
            tokens = await self._lwa.refresh(self._settings.app(connection.region), grant.decode())
        except (LwaUnavailable, AppRefused) as problem:
            refreshes.labels("unavailable" if isinstance(problem, LwaUnavailable) else "app_refused").inc()
            await self._cool_down(lease, problem)
            raise
        except GrantRefused:
            # The lease is kept: until the connection is revoked nobody else shall ask Amazon the same.
            raise
        except Exception:
            await self._release(lease)
            raise
        refreshes.labels("granted").inc()
        await self._keep(lease, tokens, asked_at)
        return AccessTokenAnswer(
            access_token=tokens.access_token,
            expires_in=tokens.expires_in,
            selling_partner_id=connection.selling_partner_id,
            region=connection.region,
        )

    async def _keep(self, lease: _Lease, tokens: Tokens, asked_at: datetime) -> None:
        """Stores the token, unless the lease has run out or a new consent has replaced the grant."""
        connection, life = lease.connection, timedelta(seconds=tokens.expires_in)
        sealed = vault.seal(
            self._key_ring, tokens.access_token.encode(), connection.account_id, connection.id, "access_token"
        )
        async with self._db.transaction() as session:
            await run(
                session,
                "update access_token set token = $3, renew_at = $4, expires_at = $5, replaced_refused_at = $6, "
                "refused_as_well = false, lease_id = null, lease_until = null, failures = 0, ask_again_at = null, "
                "app_refusal = null where connection_id = $1 and lease_id = $2",
                connection.id,
                lease.id,
                sealed,
                asked_at + life * RENEW_AFTER,
                asked_at + life,
                asked_at if lease.settles else None,
            )

    async def _cool_down(self, lease: _Lease, problem: LwaUnavailable | AppRefused) -> None:
        """Gives the lease back, for nobody to take before a pause is over; the problem then says how long that is."""
        failures = min(lease.failures + 1, cooling.MOST_FAILURES)
        pause = cooling.pause_after(failures)
        problem.headers = cooling.retry_after(pause)
        async with self._db.transaction() as session:
            await run(
                session,
                "update access_token set lease_id = null, lease_until = null, failures = $3, app_refusal = $4, "
                "ask_again_at = clock_timestamp() + $5::interval where connection_id = $1 and lease_id = $2",
                lease.connection.id,
                lease.id,
                failures,
                problem.error if isinstance(problem, AppRefused) else None,
                pause,
            )

    async def _release(self, lease: _Lease) -> None:
        async with self._db.transaction() as session:
            await run(
                session,
                "update access_token set lease_id = null, lease_until = null "
                "where connection_id = $1 and lease_id = $2",
                lease.connection.id,
                lease.id,
            )

    async def _revoke(self, lease: _Lease) -> bool:
        """Amazon refuses the grant: forgets it and moves the connection to revoked, once. False if it is not the
        connection's grant any more, or about to be replaced; the lease then keeps this question from being repeated."""
        async with self._db.transaction() as session:
            connection = await session.get(Connection, lease.connection.id, with_for_update=True)
            # Told apart by the time of the consent: a rotation of the key ring rewrites the ciphertext.
            if connection is None or connection.authorized_at != lease.connection.authorized_at:
                return False
            if await is_being_completed(session, connection):
                return False
            connection.refresh_token = None
            await run(session, "delete from access_token where connection_id = $1", connection.id)
            if await move(session, connection, "refused", actor=auditing.AMAZON):
                log.warning("connection_revoked", connection_id=str(connection.id), region=connection.region)
        return True

    def _present(self, account_id: UUID, connection_id: UUID, held: "_Held") -> AccessTokenAnswer | None:
        """The stored token, if there is one that can still be used."""
        if held.token is None or held.expires_at is None:
            return None
        left = held.expires_at - clock.now()
        if left < LEAST_LIFE:
            return None
        token = vault.reveal(self._key_ring, held.token, account_id, connection_id, "access_token")
        return AccessTokenAnswer(
            access_token=token.decode(),
            expires_in=int(left.total_seconds()),
            selling_partner_id=held.selling_partner_id,
            region=held.region,
        )


class _Held(NamedTuple):
    """What is stored of a connection's token; without one, its fields are None. `pause` is what is left of it, also
    when that is less than nothing."""

    status: Status
    selling_partner_id: str
    region: Region
    token: bytes | None
    renew_at: datetime | None
    expires_at: datetime | None
    replaced_refused_at: datetime | None
    refused_as_well: bool | None
    app_refusal: str | None = None
    pause: timedelta | None = None


# Of every request, as one statement: the account's own connection, and its token.
_HELD = (
    "select c.status, c.selling_partner_id, c.region, t.token, t.renew_at, t.expires_at, t.replaced_refused_at, "
    "t.refused_as_well, t.app_refusal, t.ask_again_at - clock_timestamp() as pause "
    "from connection c left join access_token t on t.connection_id = c.id where c.account_id = $1 and c.id = $2"
)

_Known = TypeVar("_Known", _Held, Connection)


async def _connection(session: AsyncSession, account_id: UUID, connection_id: UUID) -> Connection:
    mine = select(Connection).where(col(Connection.account_id) == account_id, col(Connection.id) == connection_id)
    return _checked((await session.exec(mine)).one_or_none())


def _checked(found: _Known | None) -> _Known:
    """What was found, if calls may be made for it. Raises `ConnectionNotActiveProblem` or `ConnectionIsRevoked`."""
    if found is None:
        raise ConnectionNotActiveProblem("no such connection in this account")
    if found.status == "revoked":
        raise ConnectionIsRevoked
    if found.status not in CALLABLE:
        raise ConnectionNotActiveProblem(f"the connection is {found.status}")
    return found


def _is_refused(present: AccessTokenAnswer, refused: str | None) -> bool:
    return bool(refused) and present.access_token.endswith(str(refused))


def _is_due(present: AccessTokenAnswer, held: _Held, refused: str | None) -> bool:
    """Whether another token is to be asked for: this one grows old, or Amazon has just refused it."""
    if held.renew_at is None or clock.now() >= held.renew_at:
        return True
    # One that replaced a refused one and is refused as well is not at fault: a role is missing, and another would be
    # refused too. So it settles the matter until it grows old, and so does its renewal, as long as each is refused in
    # its turn. The price: a grant that is revoked meanwhile is noticed at the next renewal, 55 minutes later at most.
    return _is_refused(present, refused) and held.replaced_refused_at is None


async def _database_time(session: AsyncSession) -> datetime:
    """Leases and pauses compare clocks of several machines, so they use one: the database's."""
    moment: datetime = (await session.exec(select(func.clock_timestamp()))).one()
    return moment
