"""What goes wrong, each for as long as the schedule gives it; afterwards everything runs again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.faults.schedule import TRADED, Step
from tests.faults.trade import SELLER, Trade
from tests.faults.world import REPLICAS, World

_STOPPED, _BROKER_STOPPED = 15.0, 8.0
_PREPARED_WITHIN = 6.0
_THROTTLED = 429
# What Amazon does all the time, in every run: the same calls are hit with the same seed.
_ALWAYS = (
    {"operation": "patchListingsItem", "kind": "drop_after_effect", "probability": 0.05},
    {"operation": "confirmShipment", "kind": "drop_after_effect", "probability": 0.05},
    {"operation": "patchListingsItem", "kind": "reset", "probability": 0.03},
    {"operation": "searchOrders", "kind": "html", "status": 503, "probability": 0.05},
    {"operation": "token", "kind": "status", "status": 503, "probability": 0.1},
    {"operation": "patchListingsItem", "kind": "status", "status": _THROTTLED, "probability": 0.03},
    {"operation": "confirmShipment", "kind": "status", "status": _THROTTLED, "probability": 0.03},
)


class Faults:
    """Plays the schedule's faults in a world; steers the trade where a fault alone would seldom matter."""

    def __init__(self, world: World, trade: Trade, seed: int) -> None:
        self.world, self.trade, self.seed = world, trade, seed

    async def begin(self) -> None:
        for fault in _ALWAYS:
            await self.trade.amazon.dial("POST", "/faults", fault | {"seed": self.seed})

    async def end(self) -> None:
        """Disarms all, and notes how many calls were refused for their rate without being too many."""
        armed = (await self.trade.amazon.dial("GET", "/faults"))["armed"]
        self.trade.ledger.throttled += sum(one["hits"] for one in armed if one.get("status") == _THROTTLED)
        await self.trade.amazon.dial("DELETE", "/faults")

    async def play(self, step: Step) -> None:
        service, replica = step.facts["service"], step.facts["replica"]
        does: dict[str, Callable[[], Awaitable[Any]]] = {
            "stall_listings": lambda: self._stall("listings", replica, self._price_prepared, self._prices_rise),
            "stall_orders": lambda: self._stall("orders", replica, self._parcel_prepared, self._trackings_change),
            "grant_replaced_twice": self._replace_grant_twice,
            "confirmations_fail": self._confirmations_fail,
            "storm_503": self._storm,
            "stop_auth": lambda: self._stop_auth(replica),
            "restart_postgres": self._restart_postgres,
            "stop_broker": lambda: self.world.stop_broker(_BROKER_STOPPED),
            "kill": lambda: self._kill(service, replica),
            "freeze": lambda: self._freeze(service, replica),
        }
        await does[step.action]()

    async def _kill(self, service: str, replica: int) -> None:
        self.world.kill(service, replica)
        self.world.launch(service, replica)
        await self.world.serves(service, replica)

    async def _freeze(self, service: str, replica: int) -> None:
        self.world.freeze(service, replica)
        await asyncio.sleep(_STOPPED)
        self.world.thaw(service, replica)

    async def _stop_auth(self, replica: int) -> None:
        """Listings starts anew meanwhile: the tokens it held are gone, and half of what it asks stands still."""
        self.world.freeze("auth", replica)
        for one in REPLICAS:
            self.world.kill("listings", one)
            self.world.launch("listings", one)
        self.trade.begin(self.trade.time_to_amazon("SIGSTOP of auth, start of listings included"), "probe")
        await asyncio.sleep(_STOPPED)
        self.world.thaw("auth", replica)

    async def _restart_postgres(self) -> None:
        await self.world.restart_postgres()
        self.trade.begin(self.trade.time_to_amazon("PostgreSQL back"), "probe")

    async def _storm(self) -> None:
        seconds = 8.0
        await self._arm(operation="*", status=503, for_s=seconds)
        await asyncio.sleep(seconds)
        self.trade.begin(self.trade.time_to_amazon("503 storm over"), "probe")

    async def _confirmations_fail(self) -> None:
        """Parcels are corrected while Amazon takes no confirmation and shows the packages as they were."""
        await self._arm(operation="confirmShipment", status=503, for_s=8.0)
        await self.trade.correct_carriers(4)
        await asyncio.sleep(8.0)

    async def _replace_grant_twice(self) -> None:
        """Each consent kills the tokens of the one before; the calls in between find that out."""
        for _ in range(2):
            await self.trade.merchant.consent_again(self.trade.connection_id)
            self.trade.ledger.consents += 1
            await self.trade.raise_price(TRADED[1])
            await asyncio.sleep(2.5)

    async def _stall(
        self,
        service: str,
        replica: int,
        prepared: Callable[[], Awaitable[bool]],
        something_newer: Callable[[], Awaitable[None]],
    ) -> None:
        """A worker stands still between what it wrote down and its call; the other one writes something newer."""
        other = 1 - replica
        self.world.kill(service, other)
        for _ in range(3):
            if await prepared():
                break
        else:
            self.trade.say(f"{service}: nothing was caught between intent and call")
        self.world.freeze(service, replica)
        self.world.launch(service, other)
        await self.end()
        await self.begin()
        await something_newer()
        await asyncio.sleep(_STOPPED)
        self.world.thaw(service, replica)
        await self.world.serves(service, other)

    async def _price_prepared(self) -> bool:
        """Between intent and patch the offer is read: that answer takes its time."""
        await self._arm(operation="searchListingsItems", kind="slow", seconds=3, count=2)
        for sku in TRADED[:4]:
            self.trade.begin(self.trade.raise_price(sku), "change")
        return await self._seen(
            "listings", "select 1 from variant where write_state = 'sending' and sent_price is not null limit 1"
        )

    async def _prices_rise(self) -> None:
        for sku in TRADED[:4]:
            self.trade.begin(self.trade.raise_price(sku), "change")

    async def _parcel_prepared(self) -> bool:
        """Between the claimed parcel and the call stands the wait for Amazon's allowance."""
        await self.world.query(
            "orders",
            "update amazon_bucket set tokens = -4 * coalesce(learned_rate, 2), refilled_at = clock_timestamp() "
            "where operation = 'confirmShipment' and selling_partner_id <> ''",
        )
        return await self._seen("orders", "select 1 from shipment where status = 'sending' limit 1")

    async def _trackings_change(self) -> None:
        rows = await self.world.query("orders", "select id::text from shipment where status = 'sending'")
        for number, (shipment_id,) in enumerate(rows):
            self.trade.begin(self.trade.correct(shipment_id, "tracking_number", number), "correct")

    async def _seen(self, service: str, sql: str) -> bool:
        """Twice in a row: what is merely passing by is not caught."""
        try:
            async with asyncio.timeout(_PREPARED_WITHIN):
                while True:
                    if await self.world.query(service, sql):
                        await asyncio.sleep(0.15)
                        if await self.world.query(service, sql):
                            return True
                    await asyncio.sleep(0.03)
        except TimeoutError:
            return False

    async def _arm(self, **fault: Any) -> None:
        # In front of what is always there: the first that fits strikes.
        await self.end()
        await self.trade.amazon.dial("POST", "/faults", fault | {"selling_partner_id": SELLER})
        await self.begin()
