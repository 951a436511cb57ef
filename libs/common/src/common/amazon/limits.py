"""Amazon's token buckets, kept in PostgreSQL so that they are exact across replicas and remembered across restarts.

One bucket per (application, seller, region, operation), and one per (application, region, operation) where Amazon
limits the application as a whole (FACTS 3.1, 3.2). All times are the database's, moved as far as `common.clock` is.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Column, DateTime, Double, Integer, MetaData, Table, Text, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from common import clock
from common.amazon.access import Seller
from common.amazon.operations import Operation, Service
from common.contracts.connections import Region

metadata = MetaData()

amazon_bucket = Table(
    "amazon_bucket",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    # '' is the bucket that all sellers of the application share
    Column("selling_partner_id", Text, primary_key=True),
    Column("tokens", Double, nullable=False),
    # Amazon's current rate for this pair, from x-amzn-RateLimit-Limit; null until it has told one
    Column("learned_rate", Double),
    Column("granted", Integer, nullable=False),
    Column("refilled_at", DateTime(timezone=True), nullable=False),
)

# Seconds that leased tokens may be used. A bucket is kept smaller than Amazon's by what refills in that time, so calls
# made late with leased tokens never exceed burst + rate x time (I9)...
_LEASE = 0.2
# ...and by a token at least: the network delays calls unevenly, so that they arrive closer together than they left.
_HEADROOM = 1.0
_LARGEST_BLOCK = 1000
# Added to a wait, so that the token is there when it ends (seconds).
_PAD = 0.002
# A caller in no mood to wait still waits this long for a question to the database that is under way (seconds).
_PATIENCE = 1.0

# The row is locked before its clock is read, and read once: the three columns must agree.
_TAKE = text("""
insert into amazon_bucket as bucket
    (app_id, region, operation, selling_partner_id, tokens, granted, refilled_at)
values (:app_id, :region, :operation, :selling_partner_id,
    cast(:burst as double precision) - least(:wanted, floor(cast(:burst as double precision))),
    least(:wanted, floor(cast(:burst as double precision))), clock_timestamp() + make_interval(secs => :ahead))
on conflict (app_id, region, operation, selling_partner_id) do update set
    (tokens, granted, refilled_at) = (
        select available - grantable, grantable, moment
        from (select available, greatest(0, least(:wanted, floor(available))) as grantable, moment
              from (select moment, least(
                        cast(:burst as double precision),
                        bucket.tokens + greatest(0, extract(epoch from moment - bucket.refilled_at))
                            * coalesce(bucket.learned_rate * :share, :rate)) as available
                    from (select clock_timestamp() + make_interval(secs => :ahead) as moment) as clock
                ) as refilled) as taken)
returning granted, tokens, learned_rate
""")

_EMPTY = text("""
update amazon_bucket set tokens = least(tokens, 0), refilled_at = clock_timestamp() + make_interval(secs => :ahead)
where app_id = :app_id and region = :region and operation = :operation and selling_partner_id = :selling_partner_id
""")

_LEARN = text("""
update amazon_bucket set learned_rate = :learned_rate
where app_id = :app_id and region = :region and operation = :operation and selling_partner_id = :selling_partner_id
""")


@dataclass(slots=True)
class _Bucket:
    """What this process knows of one bucket, and the tokens it has leased from it."""

    app_id: str
    region: Region
    operation: str
    selling_partner_id: str
    burst: float
    default_rate: float
    share: float
    learned_rate: float | None = None
    limit_header: str | None = None
    left: int = 0
    lease_ends: float = 0.0
    block: int = 1
    empty_until: float = 0.0
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def rate(self) -> float:
        """Tokens a second that this service may spend."""
        return self.default_rate if self.learned_rate is None else self.learned_rate * self.share

    @property
    def largest_block(self) -> int:
        return min(_LARGEST_BLOCK, max(1, int(self.rate * _LEASE)))

    @property
    def capacity(self) -> float:
        return max(1.0, self.burst - max(_HEADROOM, self.rate * _LEASE))

    def key(self) -> dict[str, str]:
        return {
            "app_id": self.app_id,
            "region": self.region,
            "operation": self.operation,
            "selling_partner_id": self.selling_partner_id,
        }

    def take_leased(self, now: float) -> bool:
        if self.left and now < self.lease_ends:
            self.left -= 1
            return True
        return False


class Limits:
    """The buckets of one service, which spends its share of every operation's rate."""

    def __init__(self, engine: AsyncEngine, service: Service) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._service = service
        self._buckets: dict[tuple[str, Region, str, str], _Bucket] = {}

    async def take(self, operation: Operation, app_id: str, seller: Seller, *, max_wait: float = 0.0) -> float:
        """Takes one token, waiting for it at most `max_wait` seconds.

        Returns 0.0 when the call may be made now; otherwise nothing was taken and it is the seconds until a token is
        there. Callers of one bucket are served in the order they came; callers of another never wait for them.
        """
        pair = self._bucket(operation, app_id, seller.region, seller.selling_partner_id)
        wait = await self._take(pair, max_wait)
        if wait or operation.application_rate is None:
            return wait
        wait = await self._take(self._bucket(operation, app_id, seller.region, ""), max_wait)
        if wait:
            pair.left += 1
        return wait

    async def learn(self, operation: Operation, app_id: str, seller: Seller, limit_header: str | None) -> None:
        """Adopts the pair's rate of an answer's `x-amzn-RateLimit-Limit`, which many answers lack (FACTS 3.3)."""
        if limit_header is None:
            return
        bucket = self._bucket(operation, app_id, seller.region, seller.selling_partner_id)
        if limit_header == bucket.limit_header:
            return
        bucket.limit_header = limit_header
        try:
            rate = float(limit_header)
        except ValueError:
            return
        known = bucket.default_rate / bucket.share if bucket.learned_rate is None else bucket.learned_rate
        if rate == known or not (math.isfinite(rate) and rate > 0):
            return
        bucket.learned_rate = rate
        await self._execute(_LEARN, {**bucket.key(), "learned_rate": rate})

    async def throttled(
        self, operation: Operation, app_id: str, seller: Seller, *, by_application: bool = False
    ) -> float:
        """Empties the bucket after a 429; `by_application` when Amazon named the application's own limit.

        Returns the seconds until the next token.
        """
        bucket = self._bucket(operation, app_id, seller.region, "" if by_application else seller.selling_partner_id)
        bucket.left = 0
        bucket.empty_until = clock.monotonic() + 1 / bucket.rate
        await self._execute(_EMPTY, {**bucket.key(), "ahead": clock.ahead().total_seconds()})
        return 1 / bucket.rate

    def _bucket(self, operation: Operation, app_id: str, region: Region, selling_partner_id: str) -> _Bucket:
        key = (app_id, region, operation.name, selling_partner_id)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = self._new_bucket(operation, app_id, region, selling_partner_id)
        return bucket

    def _new_bucket(self, operation: Operation, app_id: str, region: Region, selling_partner_id: str) -> _Bucket:
        share = operation.shares.get(self._service)
        if share is None:
            raise ValueError(f"{operation.name} has no share for {self._service}: see operations.py")
        # Amazon publishes no burst for an application's limit: one second of it.
        application_rate = operation.application_rate or operation.rate
        burst, rate = (application_rate,) * 2 if not selling_partner_id else (operation.burst, operation.rate)
        return _Bucket(app_id, region, operation.name, selling_partner_id, max(1.0, burst * share), rate * share, share)

    async def _take(self, bucket: _Bucket, max_wait: float) -> float:
        now = clock.monotonic()
        if bucket.take_leased(now):
            return 0.0
        # Those who came before are served first: with an empty bucket that is one refill each.
        ahead = max(0.0, bucket.empty_until - now) + bucket.waiting / bucket.rate
        if bucket.empty_until > now and ahead > max_wait:
            return ahead
        bucket.waiting += 1
        try:
            async with asyncio.timeout(max(max_wait, _PATIENCE)):
                await bucket.lock.acquire()
        except TimeoutError:
            return max(ahead, _PAD)
        else:
            try:
                return await self._take_in_turn(bucket, deadline=now + max_wait)
            finally:
                bucket.lock.release()
        finally:
            bucket.waiting -= 1

    async def _take_in_turn(self, bucket: _Bucket, *, deadline: float) -> float:
        while True:
            now = clock.monotonic()
            if bucket.take_leased(now):
                return 0.0
            if bucket.empty_until <= now and await self._lease(bucket):
                return 0.0
            wait = bucket.empty_until - clock.monotonic()
            if clock.monotonic() + wait > deadline:
                return max(wait, _PAD)
            await asyncio.sleep(wait)

    async def _lease(self, bucket: _Bucket) -> bool:
        """Takes tokens for all who wait, and a block more while blocks are used up in time; one of them is spent."""
        used_up = bucket.left == 0 and clock.monotonic() < bucket.lease_ends
        bucket.block = min(bucket.block * 2, bucket.largest_block) if used_up else max(1, bucket.block // 2)
        # Counted from before the question: the database grants later, so a lease never outlives its tokens' time.
        asked_at = clock.monotonic()
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    _TAKE,
                    {
                        **bucket.key(),
                        "wanted": max(bucket.block, bucket.waiting),
                        "burst": bucket.capacity,
                        "rate": bucket.default_rate,
                        "share": bucket.share,
                        "ahead": clock.ahead().total_seconds(),
                    },
                )
            ).one()
        bucket.learned_rate = row.learned_rate
        bucket.lease_ends = asked_at + _LEASE
        if row.granted:
            bucket.left = row.granted - 1
            return True
        bucket.left = 0
        bucket.empty_until = clock.monotonic() + (1 - row.tokens) / bucket.rate + _PAD
        return False

    async def _execute(self, statement: TextClause, parameters: Mapping[str, object]) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(statement, parameters)
