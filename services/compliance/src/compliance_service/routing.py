"""Which source ships what (pure): `decide` turns an order's open lines, the sources, their stock and the channel's
rules into a plan or a hold, and says of every source that was not chosen why. MISSION D3, D4."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID

import msgspec

from compliance_service.agreements import required_agreement

Rule = Literal["shipping_policy_supported", "single_fulfilment", "lowest_cost", "source_priority"]
RULES: tuple[Rule, ...] = get_args(Rule)

HoldCode = Literal["no_source_has_sku", "none_in_stock", "none_compliant", "rule_not_satisfiable"]
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


class Line(msgspec.Struct, frozen=True):
    """Units of one order item that still need a source."""

    order_item_id: str
    sku: str
    quantity: int


class OpenOrder(msgspec.Struct, frozen=True):
    """What routing must know of an order. `currency` is the one its costs are compared in; `refused_by` are sources
    that have refused to ship it."""

    channel_type: str
    purchased_at: datetime
    shipping_policy: str | None
    currency: str | None
    lines: tuple[Line, ...]
    refused_by: tuple[UUID, ...] = ()


class SourceFacts(msgspec.Struct, frozen=True):
    """A source at the moment of the decision; `compliant` already minds the attestation's expiry."""

    source_id: UUID
    name: str
    priority: int
    shipping_policies: tuple[str, ...]
    enabled: bool
    compliant: bool
    attestation_version: int


class StockLine(msgspec.Struct, frozen=True):
    """What is free of one SKU at one source, reservations already taken off."""

    available: int
    cost: Decimal | None = None
    currency: str | None = None


# By SKU: a line (or None: it does not know the SKU) for each source, in the order of the sources.
Stock = Mapping[str, Sequence[StockLine | None]]


class GroupRules(msgspec.Struct, frozen=True):
    """How a channel routes. `source_ids` empty = all of the account; earlier `priorities` bind before later ones."""

    source_ids: tuple[UUID, ...] = ()
    priorities: tuple[Rule, ...] = RULES
    allow_split: bool = True


DEFAULT_GROUP = GroupRules()


class Assignment(msgspec.Struct, frozen=True):
    """Units of one order item that one source shall ship."""

    source_id: UUID
    order_item_id: str
    sku: str
    quantity: int


class Rejection(msgspec.Struct, frozen=True):
    """Why a source ships nothing of this order; `skus` are those the reason is about, empty = not about a SKU."""

    source_id: UUID
    code: RejectionCode
    skus: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """Either `plan` covers every line, or `hold` says why none does. `skus` are those the hold is about."""

    plan: tuple[Assignment, ...]
    rejected: tuple[Rejection, ...]
    hold: HoldCode | None = None
    skus: tuple[str, ...] = ()


# Units of a SKU that the source at a position gives.
_Take = tuple[int, str, int]
_Rank = tuple[object, ...]
_ZERO = Decimal(0)


def decide(order: OpenOrder, sources: Sequence[SourceFacts], stock: Stock, group: GroupRules) -> Decision:
    """The route of an order; the same input, in whatever order, gives the same answer.

    A source is a candidate when it is in the group, enabled, has any of the SKUs in stock, is compliant where the
    agreement binds the order, supports the shipping policy (when that rule is on) and has not refused the order.
    """
    field = _Field(order, sources, stock, group)
    rejected: list[Rejection] = []
    candidates: list[int] = []
    for position, source in enumerate(sources):
        if (code := field.bars(position, source)) is None:
            candidates.append(position)
        else:
            skus = field.skus if code in ("sku_unknown", "no_stock") else ()
            rejected.append(Rejection(source.source_id, code, skus))
    takes = _plan(field, candidates)
    if takes is None:
        rejected += [Rejection(sources[position].source_id, "not_enough_stock", field.skus) for position in candidates]
        hold, skus = _why_held(field)
        return Decision((), _sorted(rejected), hold, skus)
    chosen = {position for position, _, _ in takes}
    rejected += [
        Rejection(sources[position].source_id, "outranked") for position in candidates if position not in chosen
    ]
    return Decision(_assign(order.lines, takes, sources), _sorted(rejected))


def _sorted(rejected: list[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejected, key=lambda rejection: rejection.source_id.int))


class _Field:
    """One order's view of the sources: what it wants, and what each of them has of that."""

    def __init__(self, order: OpenOrder, sources: Sequence[SourceFacts], stock: Stock, group: GroupRules) -> None:
        wanted: dict[str, int] = {}
        for line in order.lines:  # two order items may carry the same SKU
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
        nothing = (None,) * len(sources)
        self.sources = sources
        self.wanted = wanted
        self.skus = tuple(wanted)
        # (SKU, units wanted, its line at each source)
        self.shelves = [(sku, units, stock.get(sku, nothing)) for sku, units in wanted.items()]
        self.currency = order.currency
        self.ranking = [rule for rule in group.priorities if rule != "shipping_policy_supported"]
        self.allow_split = group.allow_split
        self.must_comply = required_agreement(order.channel_type, order.purchased_at) is not None
        self._members = frozenset(group.source_ids)
        self._refused_by = frozenset(order.refused_by)
        self._policy = order.shipping_policy if "shipping_policy_supported" in group.priorities else None

    def takes_part(self, source: SourceFacts) -> bool:
        return source.enabled and (not self._members or source.source_id in self._members)

    def bars(self, position: int, source: SourceFacts) -> RejectionCode | None:
        """The first reason against a source. Stock comes before compliance: a source is named as not compliant only
        where its toggle stands in the way of goods it has."""
        if self._members and source.source_id not in self._members:
            return "not_in_group"
        if not source.enabled:
            return "disabled"
        known = False
        for _, _, shelf in self.shelves:
            if (line := shelf[position]) is not None:
                known = True
                if line.available > 0:
                    break
        else:
            return "no_stock" if known else "sku_unknown"
        if self.must_comply and not source.compliant:
            return "not_compliant"
        if self._policy and source.shipping_policies and self._policy not in source.shipping_policies:
            return "policy_unsupported"
        if self._refused_by and source.source_id in self._refused_by:
            return "refused"
        return None

    def rank(self, position: int, takes: Sequence[tuple[StockLine, int]], used: Container[int] = ()) -> _Rank:
        """Sorts sources by the rules in their order, for giving these units; the id settles what they leave open."""
        source = self.sources[position]
        rank: list[object] = []
        for rule in self.ranking:
            if rule == "lowest_cost":
                rank.append(self._cost(takes))
            elif rule == "source_priority":
                rank.append(source.priority)
            else:
                rank.append(position not in used)
        rank.append(source.source_id.int)
        return tuple(rank)

    def _cost(self, takes: Sequence[tuple[StockLine, int]]) -> tuple[bool, Decimal]:
        """What the units cost there; after every known cost when one is unknown or in another currency."""
        total = _ZERO
        for line, units in takes:
            if line.cost is None or line.currency != self.currency:
                return (True, _ZERO)
            total += line.cost * units
        return (False, total)


def _plan(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    if not field.allow_split:
        return _from_one(field, candidates)
    if field.ranking and field.ranking[0] == "single_fulfilment":
        return _from_one(field, candidates) or _from_few(field, candidates)
    return _sku_by_sku(field, candidates)


def _from_one(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    """Everything from the best source that has everything."""
    best: tuple[_Rank, int] | None = None
    for position in candidates:
        takes = []
        for _, units, shelf in field.shelves:
            line = shelf[position]
            if line is None or line.available < units:
                break
            takes.append((line, units))
        else:
            rank = field.rank(position, takes)
            if best is None or rank < best[0]:
                best = rank, position
    return [(best[1], sku, units) for sku, units in field.wanted.items()] if best else None


def _from_few(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    """Again and again the source that covers most of what is left: few parcels, without trying every combination."""
    left = {sku: (units, shelf) for sku, units, shelf in field.shelves}
    plan: list[_Take] = []
    # A source gives all it can in its round, so it is asked once.
    unasked = list(candidates)
    while left:
        shelves = list(left.values())
        covers = [
            sum(min(line.available, units) for units, shelf in shelves if (line := shelf[position]) is not None)
            for position in unasked
        ]
        most = max(covers, default=0)
        if not most:
            return None
        best = min(
            (position for position, covered in zip(unasked, covers, strict=True) if covered == most),
            key=lambda position: field.rank(position, _offer(position, shelves)),
        )
        unasked.remove(best)
        for sku, (units, shelf) in list(left.items()):
            line = shelf[best]
            if line is not None and line.available:
                given = min(line.available, units)
                plan.append((best, sku, given))
                if given == units:
                    del left[sku]
                else:
                    left[sku] = (units - given, shelf)
    return plan


def _offer(position: int, shelves: Sequence[tuple[int, Sequence[StockLine | None]]]) -> list[tuple[StockLine, int]]:
    """What a source can give of what is wanted."""
    return [
        (line, min(line.available, units))
        for units, shelf in shelves
        if (line := shelf[position]) is not None and line.available
    ]


def _sku_by_sku(field: _Field, candidates: Sequence[int]) -> list[_Take] | None:
    """Every SKU from its best sources, however many parcels that makes."""
    plan: list[_Take] = []
    used: set[int] = set()
    for sku, units, shelf in field.shelves:
        offers = [
            (field.rank(position, [(line, 1)], used), position, line.available)
            for position in candidates
            if (line := shelf[position]) is not None and line.available
        ]
        left = units
        for _, position, available in sorted(offers):
            given = min(available, left)
            plan.append((position, sku, given))
            used.add(position)
            left -= given
            if not left:
                break
        if left:
            return None
    return plan


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
        sku for sku, _, shelf in field.shelves if not any(shelf[position] is not None for position in asked)
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
        for sku, wanted, shelf in field.shelves
        if sum(line.available for p in positions if (line := shelf[p]) is not None) < wanted
    )
