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

    source_id: UUID
    sku: str
    available: int
    cost: Decimal | None = None
    currency: str | None = None


Stock = Mapping[str, Mapping[UUID, StockLine]]


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


# Units of a SKU that one source gives.
_Take = tuple[UUID, str, int]


def decide(order: OpenOrder, sources: Sequence[SourceFacts], stock: Stock, group: GroupRules) -> Decision:
    """The route of an order; the same input, in whatever order, gives the same answer.

    A source is a candidate when it is in the group, enabled, has any of the SKUs in stock, is compliant where the
    agreement binds the order, supports the shipping policy (when that rule is on) and has not refused the order.
    """
    wanted = _wanted(order.lines)
    rejected: dict[UUID, Rejection] = {}
    candidates: list[SourceFacts] = []
    judge = _Judge(order, wanted, stock, group)
    for source in sources:
        if rejection := judge.rejects(source):
            rejected[source.source_id] = rejection
        else:
            candidates.append(source)
    takes = _plan(wanted, candidates, stock, group, order.currency)
    if takes is None:
        hold, skus = _why_held(judge, sources)
        losers = [Rejection(source.source_id, "not_enough_stock", tuple(wanted)) for source in candidates]
        return Decision((), _in_order(sources, rejected, losers), hold, skus)
    chosen = {source_id for source_id, _, _ in takes}
    losers = [Rejection(source.source_id, "outranked") for source in candidates if source.source_id not in chosen]
    return Decision(_assign(order.lines, takes), _in_order(sources, rejected, losers))


def _wanted(lines: Sequence[Line]) -> dict[str, int]:
    """Units by SKU: two order items may carry the same one."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def _in_order(
    sources: Sequence[SourceFacts], rejected: Mapping[UUID, Rejection], losers: Sequence[Rejection]
) -> tuple[Rejection, ...]:
    return tuple(sorted([*rejected.values(), *losers], key=lambda rejection: rejection.source_id.int))


class _Judge:
    """What holds of every source of one order."""

    def __init__(self, order: OpenOrder, wanted: Mapping[str, int], stock: Stock, group: GroupRules) -> None:
        self.wanted = wanted
        self._skus = tuple(wanted)
        self.shelves = [(sku, stock.get(sku, {})) for sku in wanted]
        self._members = frozenset(group.source_ids)
        self._refused_by = frozenset(order.refused_by)
        self._policy = order.shipping_policy if "shipping_policy_supported" in group.priorities else None
        self.must_comply = required_agreement(order.channel_type, order.purchased_at) is not None

    def takes_part(self, source: SourceFacts) -> bool:
        return source.enabled and (not self._members or source.source_id in self._members)

    def rejects(self, source: SourceFacts) -> Rejection | None:
        """The first reason that bars the source. Stock comes before compliance: a source is named as not compliant
        only where its toggle stands in the way of goods it has."""
        source_id = source.source_id
        if self._members and source_id not in self._members:
            return Rejection(source_id, "not_in_group")
        if not source.enabled:
            return Rejection(source_id, "disabled")
        known = False
        for _, shelf in self.shelves:
            if (line := shelf.get(source_id)) is not None:
                known = True
                if line.available > 0:
                    break
        else:
            return Rejection(source_id, "no_stock" if known else "sku_unknown", self._skus)
        if self.must_comply and not source.compliant:
            return Rejection(source_id, "not_compliant")
        if self._policy and source.shipping_policies and self._policy not in source.shipping_policies:
            return Rejection(source_id, "policy_unsupported")
        if source_id in self._refused_by:
            return Rejection(source_id, "refused")
        return None


def _plan(
    wanted: Mapping[str, int],
    candidates: Sequence[SourceFacts],
    stock: Stock,
    group: GroupRules,
    currency: str | None,
) -> list[_Take] | None:
    ranking = [rule for rule in group.priorities if rule != "shipping_policy_supported"]
    if not group.allow_split:
        return _from_one(wanted, candidates, stock, ranking, currency)
    if ranking and ranking[0] == "single_fulfilment":
        return _from_one(wanted, candidates, stock, ranking, currency) or _from_few(
            wanted, candidates, stock, ranking, currency
        )
    return _line_by_line(wanted, candidates, stock, ranking, currency)


_Rank = tuple[object, ...]

_UNKNOWN_COST = (1, Decimal(0))


def _cost(takes: Sequence[tuple[StockLine, int]], currency: str | None) -> tuple[int, Decimal]:
    """What the units cost there; unknown (after every known one) when any cost is, or is in another currency."""
    total = Decimal(0)
    for line, units in takes:
        if line.cost is None or line.currency != currency:
            return _UNKNOWN_COST
        total += line.cost * units
    return (0, total)


def _rank(
    source: SourceFacts,
    takes: Sequence[tuple[StockLine, int]],
    ranking: Sequence[Rule],
    currency: str | None,
    used: Container[UUID],
) -> _Rank:
    """Sorts sources by the rules in their order; the id settles what they leave open."""
    rank: list[object] = []
    for rule in ranking:
        if rule == "lowest_cost":
            rank.append(_cost(takes, currency))
        elif rule == "source_priority":
            rank.append(source.priority)
        else:
            rank.append(source.source_id not in used)
    rank.append(source.source_id.int)
    return tuple(rank)


def _from_one(
    wanted: Mapping[str, int],
    candidates: Sequence[SourceFacts],
    stock: Stock,
    ranking: Sequence[Rule],
    currency: str | None,
) -> list[_Take] | None:
    """Everything from the best source that has everything."""
    shelves = [(stock.get(sku, {}), units) for sku, units in wanted.items()]
    best: tuple[_Rank, UUID] | None = None
    for source in candidates:
        takes = []
        for shelf, units in shelves:
            line = shelf.get(source.source_id)
            if line is None or line.available < units:
                break
            takes.append((line, units))
        else:
            rank = _rank(source, takes, ranking, currency, ())
            if best is None or rank < best[0]:
                best = rank, source.source_id
    return [(best[1], sku, units) for sku, units in wanted.items()] if best else None


def _from_few(
    wanted: Mapping[str, int],
    candidates: Sequence[SourceFacts],
    stock: Stock,
    ranking: Sequence[Rule],
    currency: str | None,
) -> list[_Take] | None:
    """Again and again the source that covers most of what is left: few parcels, without trying every combination."""
    left = dict(wanted)
    plan: list[_Take] = []
    used: set[UUID] = set()
    while left:
        best: tuple[_Rank, UUID, list[tuple[StockLine, int]]] | None = None
        for source in candidates:
            takes = [
                (line, min(line.available, units))
                for sku, units in left.items()
                if (line := stock.get(sku, {}).get(source.source_id)) is not None and line.available > 0
            ]
            covered = sum(units for _, units in takes)
            # A source of an earlier round has already given all that it can.
            if not covered or source.source_id in used:
                continue
            rank = (-covered, *_rank(source, takes, ranking, currency, ()))
            if best is None or rank < best[0]:
                best = rank, source.source_id, takes
        if best is None:
            return None
        used.add(best[1])
        for line, units in best[2]:
            plan.append((best[1], line.sku, units))
            left[line.sku] -= units
            if not left[line.sku]:
                del left[line.sku]
    return plan


def _line_by_line(
    wanted: Mapping[str, int],
    candidates: Sequence[SourceFacts],
    stock: Stock,
    ranking: Sequence[Rule],
    currency: str | None,
) -> list[_Take] | None:
    """Every SKU from its best sources, however many parcels that makes."""
    plan: list[_Take] = []
    used: set[UUID] = set()
    for sku, units in wanted.items():
        shelf = stock.get(sku, {})
        offers = [
            (source, line)
            for source in candidates
            if (line := shelf.get(source.source_id)) is not None and line.available > 0
        ]
        offers.sort(key=lambda offer: _rank(offer[0], [(offer[1], 1)], ranking, currency, used))
        left = units
        for source, line in offers:
            given = min(line.available, left)
            plan.append((source.source_id, sku, given))
            used.add(source.source_id)
            left -= given
            if not left:
                break
        if left:
            return None
    return plan


def _assign(lines: Sequence[Line], takes: Sequence[_Take]) -> tuple[Assignment, ...]:
    """Deals the units of each SKU out to the order items, in the items' order."""
    offered: dict[str, list[tuple[UUID, int]]] = {}
    for source_id, sku, units in takes:
        offered.setdefault(sku, []).append((source_id, units))
    plan: list[Assignment] = []
    for line in lines:
        left = line.quantity
        offers = offered[line.sku]
        while left:
            source_id, units = offers.pop(0)
            given = min(left, units)
            plan.append(Assignment(source_id, line.order_item_id, line.sku, given))
            left -= given
            if units > given:
                offers.insert(0, (source_id, units - given))
    return tuple(plan)


def _why_held(judge: _Judge, sources: Sequence[SourceFacts]) -> tuple[HoldCode, tuple[str, ...]]:
    """The first wall the order meets: nobody knows a SKU, nobody has enough, nobody compliant has, or the rules."""
    taking_part = [source.source_id for source in sources if judge.takes_part(source)]
    compliant = [source.source_id for source in sources if judge.takes_part(source) and source.compliant]
    unknown = tuple(sku for sku, shelf in judge.shelves if not any(source_id in shelf for source_id in taking_part))
    if unknown:
        return "no_source_has_sku", unknown
    if short := _short(judge, taking_part):
        return "none_in_stock", short
    if judge.must_comply and (short := _short(judge, compliant)):
        return "none_compliant", short
    return "rule_not_satisfiable", tuple(judge.wanted)


def _short(judge: _Judge, source_ids: Sequence[UUID]) -> tuple[str, ...]:
    """The SKUs that these sources together have too little of."""
    return tuple(
        sku
        for sku, shelf in judge.shelves
        if sum(shelf[source_id].available for source_id in source_ids if source_id in shelf) < judge.wanted[sku]
    )
