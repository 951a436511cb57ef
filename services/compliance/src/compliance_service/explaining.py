"""Why an order went where it went and who had attested what, years later too (MISSION D4, D6)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common.callers import Caller
from common.contracts.agreements import required_agreement
from common.errors import NotFound
from compliance_service.decision_records import read_decision, read_inputs, read_sources
from compliance_service.decision_schemas import (
    AssignmentAnswer,
    AttestationThenAnswer,
    DecisionAnswer,
    DecisionInputsAnswer,
    OrderDecisionsAnswer,
    OutcomeAnswer,
    RejectedAnswer,
    ReservationAnswer,
    ShippedAnswer,
    SourceThenAnswer,
)
from compliance_service.models import (
    Attestation,
    RoutedOrder,
    RoutingDecision,
    Source,
    SourcesSnapshot,
    StockReservation,
)
from compliance_service.routing import Decision, GroupRules, SourceFacts
from compliance_service.wording import hold_detail, rejection_detail

Attestations = Mapping[tuple[UUID, int], Attestation]


async def find_order(
    session: AsyncSession, caller: Caller, selling_partner_id: str, amazon_order_id: str
) -> RoutedOrder:
    """The caller's order. Raises `NotFound`."""
    query = caller.scoped(RoutedOrder).where(
        RoutedOrder.selling_partner_id == selling_partner_id, RoutedOrder.amazon_order_id == amazon_order_id
    )
    order = (await session.exec(query)).one_or_none()
    if order is None:
        raise NotFound("routing knows no such order", fix="Orders that are not imported are explained by orders")
    return order


async def decisions_of(session: AsyncSession, order_id: UUID) -> Sequence[tuple[RoutingDecision, SourcesSnapshot]]:
    """An order's decisions with the sources they saw, newest first."""
    return (
        await session.exec(
            select(RoutingDecision, SourcesSnapshot)
            .join(
                SourcesSnapshot,
                (col(SourcesSnapshot.account_id) == RoutingDecision.account_id)
                & (col(SourcesSnapshot.digest) == RoutingDecision.sources_digest),
            )
            .where(RoutingDecision.order_id == order_id)
            .order_by(col(RoutingDecision.decision_version).desc())
        )
    ).all()


async def explain_order(session: AsyncSession, caller: Caller, order: RoutedOrder) -> OrderDecisionsAnswer:
    """Every decision of the order with all that it saw, who had attested what then, and what became of its units."""
    rows = await decisions_of(session, order.id)
    reservations = (
        await session.exec(
            caller.scoped(StockReservation)
            .where(StockReservation.order_id == order.id)
            .order_by(col(StockReservation.decision_version), col(StockReservation.id))
        )
    ).all()
    # By what they are called now: a source may ship, made or renamed since, that no decision has seen.
    names = {source.id: source.name for source in (await session.exec(caller.scoped(Source))).all()}
    attestations = await _attestations(session, caller, names)
    decisions = [_decision(row, snapshot, attestations) for row, snapshot in rows]
    told = ("selling_partner_id", "amazon_order_id", "channel_id", "channel_type", "marketplace_id", "status")
    return OrderDecisionsAnswer(
        **{name: getattr(order, name) for name in told},
        purchased_at=order.purchased_at,
        ship_by=order.ship_by,
        shipping_policy=order.shipping_policy,
        state=order.state,
        order_version=order.order_version,
        order_holds=order.holds,
        reservations=[
            ReservationAnswer(
                source_name=names.get(r.source_id, ""),
                **r.model_dump(include=set(ReservationAnswer.model_fields)),
            )
            for r in reservations
        ],
        shipped=_shipped(order, reservations, names, attestations),
        latest=decisions[0] if decisions else None,
        history=decisions[1:],
    )


async def _attestations(session: AsyncSession, caller: Caller, source_ids: Iterable[UUID]) -> Attestations:
    query = caller.scoped(Attestation).where(col(Attestation.source_id).in_(list(source_ids)))
    return {(entry.source_id, entry.version): entry for entry in (await session.exec(query)).all()}


def _decision(row: RoutingDecision, snapshot: SourcesSnapshot, attestations: Attestations) -> DecisionAnswer:
    decision, inputs, sources = read_decision(row), read_inputs(row.inputs), read_sources(snapshot.sources)
    rule = required_agreement(inputs.order.channel_type, inputs.order.purchased_at)
    outcome = outcome_of(decision, sources, inputs.group)
    names = {source.source_id: source.name for source in sources}
    concerned = {part.source_id for part in decision.plan}
    concerned |= {rejection.source_id for rejection in decision.rejected if rejection.code == "not_compliant"}
    return DecisionAnswer(
        decision_version=row.decision_version,
        order_version=row.order_version,
        outcome=row.outcome,
        cause=row.cause,
        code=row.code,
        detail=outcome.detail,
        decided_at=row.decided_at,
        plan=outcome.plan,
        rejected=[
            RejectedAnswer(
                source_id=rejection.source_id,
                source_name=names[rejection.source_id],
                code=rejection.code,
                detail=rejection_detail(rejection, names[rejection.source_id]),
            )
            for rejection in decision.rejected
        ],
        agreement=rule.agreement if rule else None,
        attestations=[_then(source, attestations) for source in sources if source.source_id in concerned],
        inputs=DecisionInputsAnswer.model_validate(row.inputs),
        sources=[SourceThenAnswer.model_validate(source) for source in snapshot.sources],
    )


def _then(source: SourceFacts, attestations: Attestations) -> AttestationThenAnswer:
    return _told(source.source_id, source.name, attestations.get((source.source_id, source.attestation_version)))


def _told(source_id: UUID, name: str, entry: Attestation | None) -> AttestationThenAnswer:
    if entry is None:
        return AttestationThenAnswer(source_id=source_id, source_name=name, version=0, action="never")
    return AttestationThenAnswer(source_name=name, **entry.model_dump(include=set(AttestationThenAnswer.model_fields)))


def _shipped(
    order: RoutedOrder,
    reservations: Iterable[StockReservation],
    names: Mapping[UUID, str],
    attestations: Attestations,
) -> list[ShippedAnswer]:
    """What left, by source and parcel, with the attestation of that moment, whether or not anything was planned."""
    parcels = {(r.closed_at, r.source_id, r.shipment_id) for r in reservations if r.state == "shipped" and r.closed_at}
    rule = required_agreement(order.channel_type, order.purchased_at)
    shipped = []
    for at, source_id, shipment_id in sorted(parcels, key=lambda parcel: (*parcel[:2], str(parcel[2]))):
        entry = _newest_at(source_id, at, attestations)
        in_force = entry is not None and entry.action == "given" and (entry.expires_at is None or entry.expires_at > at)
        shipped.append(
            ShippedAnswer(
                shipment_id=shipment_id,
                shipped_at=at,
                agreement=rule.agreement if rule else None,
                without_attestation=rule is not None and not in_force,
                attestation=_told(source_id, names.get(source_id, ""), entry),
            )
        )
    return shipped


def _newest_at(source_id: UUID, at: datetime, attestations: Attestations) -> Attestation | None:
    known = (entry for entry in attestations.values() if entry.source_id == source_id and entry.recorded_at <= at)
    return max(known, key=lambda entry: entry.version, default=None)


def outcome_of(decision: Decision, sources: Sequence[SourceFacts], group: GroupRules) -> OutcomeAnswer:
    """The decision in words, with the sources' names."""
    names = {source.source_id: source.name for source in sources}
    if decision.hold:
        detail = hold_detail(decision, sources, group)
    else:
        detail = "Shipped by " + ", ".join(dict.fromkeys(names[part.source_id] for part in decision.plan))
    return OutcomeAnswer(
        outcome="held" if decision.hold else "routed",
        code=decision.hold,
        detail=detail,
        plan=[
            AssignmentAnswer(source_name=names[part.source_id], **msgspec.structs.asdict(part))
            for part in decision.plan
        ],
    )
