"""Which source ships what (pure): `decide` turns an order's open lines, the sources, their stock and the channel's
rules into a plan or a hold, and says of every source that was not chosen why. MISSION D3, D4."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import gt, mul, sub
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec

from common.contracts.agreements import required_agreement

# `single_fulfilment` prefers one source for everything, `single_fulfilment_required` holds the order where none can.
Rule = Literal[
    "shipping_policy_supported", "single_fulfilment_required", "single_fulfilment", "lowest_cost", "source_priority"
]
RULES: tuple[Rule, ...] = get_args(Rule)
# Rules that a source meets or not; the others rank those that do.
_FILTERS: tuple[Rule, ...] = ("shipping_policy_supported", "single_fulfilment_required")
DEFAULT_PRIORITIES: tuple[Rule, ...] = (
    "shipping_policy_supported",
    "single_fulfilment",
    "lowest_cost",
    "source_priority",
)

HoldCode = Literal[
    "no_source_has_sku",
    "none_in_stock",
    "none_compliant",
    "rule_not_satisfiable",
    "already_released",
    "line_without_sku",
]
RejectionCode = Literal[
    "not_in_group",
    "disabled",
    "sku_unknown",
    "no_stock",
    "not_compliant",
    "policy_unsupported",
    "refused",
    "not_enough_stock",
    "outranked",
]


class Line(msgspec.Struct, frozen=True, gc=False):
    """Units of one order item that still need a source."""

    order_item_id: str
    sku: str
    quantity: int


class OpenOrder(msgspec.Struct, frozen=True, gc=False):
    """What routing must know of an order. `currency` is the one its costs are compared in; `refused_by` are sources
    that have refused to ship it. `already_released`: orders has sources asked for these lines that we know nothing of.
    """

    channel_type: str
    purchased_at: datetime
    shipping_policy: str | None
    currency: str | None
    lines: tuple[Line, ...]
    refused_by: tuple[UUID, ...] = ()
    already_released: bool = False


class SourceFacts(msgspec.Struct, frozen=True, gc=False):
    """A source at the moment of the decision; `compliant` already minds the attestation's expiry."""

    source_id: UUID
    name: str
    priority: int
    shipping_policies: tuple[str, ...]
    enabled: bool
    compliant: bool
    attestation_version: int
    attested_until: datetime | None = None


class StockLine(msgspec.Struct, frozen=True, gc=False):
    """What is free of one SKU at one source, reservations already taken off."""

    available: int
    cost: Decimal | None = None
    currency: str | None = None


class Shelf:
    """One SKU at all sources, in columns by the sources' position, since that is what `decide` runs through."""

    __slots__ = ("_comparable", "available", "costs", "currencies")

    def __init__(self, sources: int) -> None:
        """Nobody knows the SKU yet."""
        # Units free; None where the source does not know the SKU.
        self.available: list[int | None] = [None] * sources
        self.costs: list[Decimal | None] = [None] * sources
        self.currencies: list[str | None] = [None] * sources
        self._comparable: dict[str | None, list[Decimal | None]] = {}

    @classmethod
    def of(cls, lines: Sequence[StockLine | None]) -> "Shelf":
        """The shelf with a line (or None) for each source."""
        shelf = cls(len(lines))
        for position, line in enumerate(lines):
            if line is not None:
                shelf.put(position, line)
        return shelf

    def copy(self) -> "Shelf":
        shelf = Shelf(0)
        shelf.available, shelf.costs, shelf.currencies = self.available[:], self.costs[:], self.currencies[:]
        return shelf

    def put(self, position: int, line: StockLine) -> None:
        self.available[position], self.costs[position] = line.available, line.cost
        self.currencies[position] = line.currency
        self._comparable.clear()

    def line(self, position: int) -> StockLine | None:
        available = self.available[position]
        return None if available is None else StockLine(available, self.costs[position], self.currencies[position])

    def costs_in(self, currency: str | None) -> list[Decimal | None]:
        """The costs that are known in this currency: amounts are never converted."""
        if (column := self._comparable.get(currency)) is None:
            column = [
                cost if told == currency else None for cost, told in zip(self.costs, self.currencies, strict=True)
            ]
            self._comparable[currency] = column
        return column


# By SKU; its columns are in the order of the sources.
Stock = Mapping[str, Shelf]


class GroupRules(msgspec.Struct, frozen=True, gc=False):
    """How a channel routes. `source_ids` empty = all of the account; earlier `priorities` bind before later ones."""

    source_ids: tuple[UUID, ...] = ()
    priorities: tuple[Rule, ...] = DEFAULT_PRIORITIES
    allow_split: bool = True


DEFAULT_GROUP = GroupRules()


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """Units of one order item that one source shall ship."""

    source_id: UUID
    order_item_id: str
    sku: str
    quantity: int


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a source ships nothing of this order; `skus` are those the reason is about, empty = not about a SKU."""

    source_id: UUID
    code: RejectionCode
    skus: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Either `plan` covers every line, or `hold` says why none does. `skus` are those the hold is about."""

    plan: tuple[Assignment, ...]
    rejected: tuple[Rejection, ...]
    hold: HoldCode | None = None
    skus: tuple[str, ...] = ()


# Units of a SKU that the source at a position gives.
_Take = tuple[int, str, int]
_ZERO = Decimal(0)
_UNKNOWN = Decimal("Infinity")


def decide(order: OpenOrder, sources: Sequence[SourceFacts], stock: Stock, group: GroupRules) -> Decision:
    """The route of an order; the same input, in whatever order, gives the same answer.

    A source is a candidate when it is in the group, enabled, has any of the SKUs in stock, is compliant where the
    agreement binds the order, supports the shipping policy (when that rule is on) and has not refused the order. Lines
    that orders takes as released already, and those of an item without a SKU, are held without judging anybody.
    """
    if not all(line.sku for line in order.lines):
        return Decision((), (), "line_without_sku")
    if order.already_released:
        return Decision((), (), "already_released", tuple(dict.fromkeys(line.sku for line in order.lines)))
    field = _Field(order, sources, stock, group)
    barred, candidates = _judge(field, order, group)
    takes = _plan(field, candidates)
    if takes is None:
        hold, skus = _why_held(field)
        rest = [Rejection(sources[position].source_id, "not_enough_stock", field.skus) for position in candidates]
        return Decision((), _sorted(barred + rest), hold, skus)
    chosen = {position for position, _, _ in takes}
    outranked = [
        Rejection(sources[position].source_id, "outranked") for position in candidates if position not in chosen
    ]
    return Decision(_assign(order.lines, takes, sources), _sorted(barred + outranked))


def _sorted(rejected: list[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejected, key=lambda rejection: rejection.source_id.int))


class _Field:
    """One order's view of the sources: what it wants, and what each of them has of that."""

    def __init__(self, order: OpenOrder, sources: Sequence[SourceFacts], stock: Stock, group: GroupRules) -> None:
        wanted: dict[str, int] = {}
        for line in order.lines:  # two order items may carry the same SKU
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
        nothing = Shelf(len(sources))
        self.sources = sources
        self.skus = tuple(wanted)
        self.wanted = tuple(wanted.values())
        self.shelves = [stock.get(sku, nothing) for sku in wanted]
        self.ranking = [rule for rule in group.priorities if rule not in _FILTERS]
        self.from_one = not group.allow_split or "single_fulfilment_required" in group.priorities
        self.must_comply = required_agreement(order.channel_type, order.purchased_at) is not None
        self.members = frozenset(group.source_ids)
        # By source: what it can give of each SKU, at most what is wanted.
        columns = [
            [0 if free is None else free if free < units else units for free in shelf.available]
            for units, shelf in zip(self.wanted, self.shelves, strict=True)
        ]
        self.offers = list(zip(*columns, strict=True)) or [()] * len(sources)
        # By source: what one unit of each SKU costs, for those rules that ask.
        self.unit_costs: list[tuple[Decimal | None, ...]] = []
        if "lowest_cost" in self.ranking:
            self.unit_costs = list(zip(*(shelf.costs_in(order.currency) for shelf in self.shelves), strict=True))

    def takes_part(self, source: SourceFacts) -> bool:
        return source.enabled and (not self.members or source.source_id in self.members)

    def best(self, positions: Sequence[int], offers: Mapping[int, tuple[int, ...]]) -> int:
        """The source that ranks first for giving these units: rule by rule, then the lowest id."""
        for rule in self.ranking:
            if len(positions) == 1:
                break
            if rule == "lowest_cost":
                ranks: Sequence[Any] = self._costs(positions, offers)
            elif rule == "source_priority":
                ranks = [self.sources[position].priority for position in positions]
            else:
                continue
            first = min(ranks)
            positions = [position for position, rank in zip(positions, ranks, strict=True) if rank == first]
        return min(positions, key=lambda position: self.sources[position].source_id.int)

    def _costs(self, positions: Sequence[int], offers: Mapping[int, tuple[int, ...]]) -> list[Decimal]:
        """What each source's units cost there; above every known cost when one is unknown or in another currency."""
        unit_costs = self.unit_costs
        try:
            # The usual case, in C; a cost that is not known does not multiply.
            return [sum(map(mul, unit_costs[position], offers[position]), _ZERO) for position in positions]
        except TypeError:
            return [self._cost(unit_costs[position], offers[position]) for position in positions]

    def _cost(self, unit_costs: tuple[Decimal | None, ...], units: tuple[int, ...]) -> Decimal:
        total = _ZERO
        for cost, given in zip(unit_costs, units, strict=True):
            if given:
                if cost is None:
                    return _UNKNOWN
                total += cost * given
        return total


def _judge(field: _Field, order: OpenOrder, group: GroupRules) -> tuple[list[Rejection], list[int]]:
    """The first reason against each source that has one, and the positions of the others, the candidates.

    Stock comes before compliance: a source is named as not compliant only where its toggle stands in the way of goods
    it has.
    """
    rejected: list[Rejection] = []
    candidates: list[int] = []
    members, must_comply, refused_by = field.members, field.must_comply, frozenset(order.refused_by)
    policy = order.shipping_policy if "shipping_policy_supported" in group.priorities else None
    code: RejectionCode
    for position, source in enumerate(field.sources):
        if members and source.source_id not in members:
            code = "not_in_group"
        elif not source.enabled:
            code = "disabled"
        elif not any(field.offers[position]):
            known = any(shelf.available[position] is not None for shelf in field.shelves)
            code = "no_stock" if known else "sku_unknown"
            rejected.append(Rejection(source.source_id, code, field.skus))
            continue
        elif must_comply and not source.compliant:
            code = "not_compliant"
        elif policy and source.shipping_policies and policy not in source.shipping_policies:
            code = "policy_unsupported"
        elif refused_by and source.source_id in refused_by:
            code = "refused"
        else:
            candidates.append(position)
            continue
        rejected.append(Rejection(source.source_id, code))
    return rejected, candidates


def _plan(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    if field.from_one or (field.ranking and field.ranking[0] == "single_fulfilment"):
        return _from_few(field, candidates)
    return _sku_by_sku(field, candidates)


def _from_few(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    """Again and again the source that covers most of what is left: one that has everything, else few parcels, without
    trying every combination."""
    left = field.wanted
    plan: list[_Take] = []
    # A source gives all it can in its round, so it is asked once.
    offers = {position: field.offers[position] for position in candidates}
    while True:
        covers = list(map(sum, offers.values()))
        most = max(covers, default=0)
        if not most or (field.from_one and most < sum(left)):
            return None
        best = field.best([p for p, covered in zip(offers, covers, strict=True) if covered == most], offers)
        given = offers.pop(best)
        plan += [(best, sku, units) for sku, units in zip(field.skus, given, strict=True) if units]
        left = tuple(map(sub, left, given))
        if not any(left):
            return plan
        if any(map(gt, map(max, zip(*offers.values(), strict=True)), left)):
            offers = {position: tuple(map(min, offer, left)) for position, offer in offers.items()}


def _sku_by_sku(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    """Every SKU from its best sources, however many parcels that makes."""
    plan: list[_Take] = []
    used: set[int] = set()
    for index, (sku, left) in enumerate(zip(field.skus, field.wanted, strict=True)):
        offers = [
            (_rank_one(field, position, index, used), position)
            for position in candidates
            if field.offers[position][index]
        ]
        for _, position in sorted(offers):
            given = min(field.offers[position][index], left)
            plan.append((position, sku, given))
            used.add(position)
            left -= given
            if not left:
                break
        if left:
            return None
    return plan


def _rank_one(field: _Field, position: int, index: int, used: Container[int]) -> list[object]:
    """Sorts sources by the rules in their order, for giving one unit of a SKU; the id settles what they leave open."""
    source = field.sources[position]
    rank: list[object] = []
    for rule in field.ranking:
        if rule == "lowest_cost":
            cost = field.unit_costs[position][index]
            rank.append(_UNKNOWN if cost is None else cost)
        elif rule == "source_priority":
            rank.append(source.priority)
        else:
            rank.append(position not in used)
    rank.append(source.source_id.int)
    return rank


def _assign(lines: Sequence[Line], takes: Sequence[_Take], sources: Sequence[SourceFacts]) -> tuple[Assignment, ...]:
    """Deals the units of each SKU out to the order items, in the items' order."""
    offered: dict[str, list[tuple[int, int]]] = {}
    for position, sku, units in takes:
        offered.setdefault(sku, []).append((position, units))
    plan: list[Assignment] = []
    for line in lines:
        left = line.quantity
        offers = offered[line.sku]
        while left:
            position, units = offers.pop(0)
            given = min(left, units)
            plan.append(Assignment(sources[position].source_id, line.order_item_id, line.sku, given))
            left -= given
            if units > given:
                offers.insert(0, (position, units - given))
    return tuple(plan)


def _why_held(field: _Field) -> tuple[HoldCode, tuple[str, ...]]:
    """The first wall the order meets: nobody knows a SKU, nobody has enough, nobody compliant has, or the rules."""
    asked = [position for position, source in enumerate(field.sources) if field.takes_part(source)]
    unknown = tuple(
        sku
        for sku, shelf in zip(field.skus, field.shelves, strict=True)
        if not any(shelf.available[position] is not None for position in asked)
    )
    if unknown:
        return "no_source_has_sku", unknown
    if short := _short(field, asked):
        return "none_in_stock", short
    if field.must_comply and (short := _short(field, [p for p in asked if field.sources[p].compliant])):
        return "none_compliant", short
    return "rule_not_satisfiable", field.skus


def _short(field: _Field, positions: Sequence[int]) -> tuple[str, ...]:
    """The SKUs that these sources together have too little of."""
    return tuple(
        sku
        for sku, wanted, shelf in zip(field.skus, field.wanted, field.shelves, strict=True)
        if sum(shelf.available[position] or 0 for position in positions) < wanted
    )
