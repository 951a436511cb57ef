"""What time does by itself: warnings before authorisations and app secrets end, keys that sign, what has expired.

Every step may run twice, or in two processes at once, and is told once.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Gauge
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from auth_service import auditing, signing
from auth_service.announcing import move
from auth_service.claiming import REGIONS
from auth_service.lifecycle import AUTHORIZATION_LIFE, RENEWAL_WARNING, SECRET_LIFE, SECRET_WARNING
from auth_service.models import Authorization, Connection, Consent
from auth_service.notifying import notify
from auth_service.settings import AuthSettings
from auth_service.vault import NOBODY
from common import clock
from common.app import Runtime
from common.db import is_transient

log = structlog.get_logger()

PAGE = 100
_AGAIN_SECONDS = 5.0
# A consent that has expired is remembered for a day: who comes back late reads "expired", not "unknown".
REMEMBERED = timedelta(days=1)

secret_days_left = Gauge("entrepot_app_secret_days_left", "Days until Amazon ends our app's client secret", ["region"])


class Housekeeping:
    """A background loop of the role `worker`."""

    def __init__(self, runtime: Runtime[AuthSettings]) -> None:
        self._db = runtime.db
        self._settings = runtime.settings
        self._key_ring = runtime.key_ring

    async def run(self) -> None:
        """Once now, then every HOUSEKEEPING_EVERY_SECONDS, until cancelled; a database that is away is waited for."""
        while True:
            pause = self._settings.housekeeping_every_seconds
            try:
                await self.once()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("housekeeping_waits", reason=type(error).__name__)
                pause = _AGAIN_SECONDS
            await asyncio.sleep(pause)

    async def once(self) -> None:
        """Everything that is due now."""
        while await self._renewals():
            pass
        async with self._db.transaction() as session:
            await warn_of_app_secrets(session, self._settings)
        async with self._db.transaction() as session:
            every = timedelta(days=self._settings.signing_key_days)
            added, retired = await signing.rotate(session, self._key_ring, every)
        async with self._db.transaction() as session:
            await _forget(session)
        if added or retired:
            log.info("signing_keys_rotated", added=added, retired=retired)

    async def _renewals(self) -> int:
        """Moves a page of connections whose authorisation ends within thirty days; how many."""
        async with self._db.transaction() as session:
            due = (
                select(Connection)
                .where(
                    col(Connection.status) == "active",
                    col(Connection.authorized_at) <= clock.now() - (AUTHORIZATION_LIFE - RENEWAL_WARNING),
                )
                .order_by(col(Connection.id))
                .limit(PAGE)
                .with_for_update(skip_locked=True)
            )
            found = (await session.exec(due)).all()
            for connection in found:
                await move(session, connection, "renewal_due", actor=auditing.SCHEDULE)
        return len(found)


async def warn_of_app_secrets(session: AsyncSession, settings: AuthSettings) -> None:
    """Warns the platform's operator, once per secret, thirty days before Amazon ends it (FACTS 2.5)."""
    now = clock.now()
    for region in REGIONS:
        app = settings.app(region)
        issued = app.secret_issued
        if issued is None:
            if app.client_secrets:
                await notify(
                    session,
                    NOBODY,
                    "app-secret-undated",
                    f"Nobody can warn before Amazon ends the client secret of our app of region {region}",
                    fix=f"Set AMAZON_CLIENT_SECRET_ISSUED_{region} to the day on which it was made",
                    occasion=f"app-secret-undated:{region}",
                )
            continue
        ends = datetime(issued.year, issued.month, issued.day, tzinfo=UTC) + SECRET_LIFE
        secret_days_left.labels(region).set((ends - now) / timedelta(days=1))
        if now < ends - SECRET_WARNING:
            continue
        new = await notify(
            session,
            NOBODY,
            "app-secret-expires",
            f"Amazon ends the client secret of our app of region {region} on {ends:%Y-%m-%d}",
            fix=f"Make the next one in the developer console and put it first: AMAZON_CLIENT_SECRET_{region}=new,old "
            f"with AMAZON_CLIENT_SECRET_ISSUED_{region}",
            occasion=f"app-secret-expires:{region}:{issued}",
        )
        if new:
            log.warning("app_secret_expires", region=region, ends=f"{ends:%Y-%m-%d}")


async def _forget(session: AsyncSession) -> None:
    past = clock.now() - REMEMBERED
    await session.exec(delete(Consent).where(col(Consent.expires_at) < past))
    await session.exec(delete(Authorization).where(col(Authorization.expires_at) < past))
