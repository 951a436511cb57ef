"""The whole state of this Amazon: three separate regions, their sellers, and what is still on its way to be seen."""

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from amazon_sandbox.apps import registrations
from amazon_sandbox.catalog.products import ProductCatalog
from amazon_sandbox.catalog.restrictions import Restriction
from amazon_sandbox.clock import SECOND_MS, Clock
from amazon_sandbox.documents.store import Documents
from amazon_sandbox.faults import Faults
from amazon_sandbox.fba_inventory import FbaInventory
from amazon_sandbox.grants import Grants
from amazon_sandbox.jobs.book import JobBook
from amazon_sandbox.listings.catalogue import Catalogue
from amazon_sandbox.listings.fates import Fates
from amazon_sandbox.marketplaces import MARKETPLACES, REGION_CODES, RegionCode
from amazon_sandbox.notifications.registry import Registry
from amazon_sandbox.orders.book import OrderBook
from amazon_sandbox.quotas import Quotas
from amazon_sandbox.settings import Settings
from amazon_sandbox.sqs.queues import Queues
from amazon_sandbox.static_cases import Choice, StaticCases

if TYPE_CHECKING:
    from amazon_sandbox.reports.schedules import Schedule


class Seller:
    """One selling partner account of one region."""

    def __init__(
        self, selling_partner_id: str, region: RegionCode, name: str, marketplace_ids: tuple[str, ...]
    ) -> None:
        self.selling_partner_id = selling_partner_id
        self.region = region
        self.name = name
        self.marketplace_ids = marketplace_ids
        self.catalogue = Catalogue()
        self.orders = OrderBook()
        self.feeds = JobBook()
        self.reports = JobBook()
        self.schedules: dict[str, Schedule] = {}
        self.fba = FbaInventory()
        self.has_non_amazon_store = False


_NOT_OF_THE_WORLD = {"_initial_settings", "static"}


class Effect(Protocol):
    """Something that happens later. It is plain data, so that a snapshot can carry it: a Struct or a NamedTuple."""

    def take_place(self, world: "World") -> None: ...


class World:
    """Everything lives in this process and one event loop touches it: no locks."""

    def __init__(self, settings: Settings, static: StaticCases | None = None) -> None:
        self._initial_settings = settings
        self.static = static
        self.reset()

    def reset(self) -> None:
        """Back to the state of the start: no sellers, no tokens, the real time, the settings of the command line."""
        self.settings = self._initial_settings
        self.clock = Clock()
        self.sellers: dict[tuple[RegionCode, str], Seller] = {}
        self.signed_in: dict[RegionCode, str] = {}
        self.registrations = registrations()
        self.grants = Grants()
        self.quotas = Quotas()
        self.faults = Faults()
        self.fates = Fates()
        self.notifications = Registry()
        self.queues = Queues()
        self.documents = Documents()
        self.products = ProductCatalog()
        self.static_choices: dict[tuple[str, str], Choice] = {}  # by method and path
        self.restrictions: list[Restriction] = []
        self.calls: Counter[tuple[str, int]] = Counter()
        self.token_calls: Counter[str] = Counter()
        self._rate_limits_asked = 0
        self._order_numbers = 0
        self._agenda: list[tuple[int, int, Effect]] = []
        self._job_numbers = 0
        self._agenda_entries = 0

    def state(self) -> dict[str, Any]:
        """Everything of it, as plain data."""
        return {name: value for name, value in vars(self).items() if name not in _NOT_OF_THE_WORLD}

    def put_back(self, state: dict[str, Any]) -> None:
        """ValueError when it is the state of another version."""
        if state.keys() != self.state().keys():
            raise ValueError("it was taken by another version of the sandbox")
        vars(self).update(state)

    def after(self, delay_s: float, effect: Effect) -> None:
        """`effect` takes place once the sandbox clock has moved on by `delay_s`: eventual consistency."""
        if delay_s == 0:
            effect.take_place(self)
            return
        self.at(self.clock.now_ms() + round(delay_s * SECOND_MS), effect)

    def at(self, due_ms: int, effect: Effect) -> None:
        """`effect` takes place at this moment of the sandbox clock; what is due already, before the next request."""
        self._agenda_entries += 1
        heapq.heappush(self._agenda, (due_ms, self._agenda_entries, effect))

    def settle(self) -> None:
        """Runs what is due. Called before each request, so nobody ever sees a world that is late."""
        while self._agenda and self._agenda[0][0] <= self.clock.now_ms():
            heapq.heappop(self._agenda)[2].take_place(self)

    def effects_outstanding(self) -> int:
        return len(self._agenda)

    def shows_rate_limit(self) -> bool:
        """Whether the next answer carries the rate limit header: evenly, as many as the settings say."""
        share, asked = self.settings.quotas.header_share, self._rate_limits_asked
        self._rate_limits_asked += 1
        return int((asked + 1) * share) > int(asked * share)

    def next_order_number(self) -> int:
        self._order_numbers += 1
        return self._order_numbers

    def next_job_number(self) -> int:
        """Feeds, reports and schedules are numbered in one row."""
        self._job_numbers += 1
        return self._job_numbers

    def sellers_of(self, region: RegionCode) -> list[Seller]:
        return [seller for seller in self.sellers.values() if seller.region == region]

    def find_sellers(self, selling_partner_id: str) -> list[Seller]:
        """One for each region the id is known in."""
        keys = ((region, selling_partner_id) for region in REGION_CODES)
        return [self.sellers[key] for key in keys if key in self.sellers]

    def seller_in(self, marketplace_id: str, selling_partner_id: str) -> Seller | None:
        """The account that sells there, or None."""
        marketplace = MARKETPLACES.get(marketplace_id)
        if marketplace is None:
            return None
        seller = self.sellers.get((marketplace.region, selling_partner_id))
        return seller if seller is not None and marketplace_id in seller.marketplace_ids else None

    def consenting_seller(self, region: RegionCode) -> Seller | None:
        """Whose browser this is: the one signed in, else the only one there is."""
        if region in self.signed_in:
            return self.sellers.get((region, self.signed_in[region]))
        sellers = self.sellers_of(region)
        return sellers[0] if len(sellers) == 1 else None
