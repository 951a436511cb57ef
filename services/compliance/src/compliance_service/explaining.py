"""Why an order went where it went, who may ship what, and what the missing attestations hold up (MISSION D6, B13)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.callers import Caller
from common.contracts.agreements import required_agreement
from common.errors import Conflict, NotFound
from compliance_service.decision_inputs import AVAILABLE
from compliance_service.decision_records import read_decision, read_inputs, read_sources
from compliance_service.models import RoutedOrder, RoutingDecision, Source, SourcesSnapshot
from compliance_service.schemas import (
    AssignmentAnswer,
    DecisionAnswer,
    EligibilityAnswer,
    HeldOrder,
    LookupAnswer,
    NonCompliantSource,
    OrderDecisions,
    RejectedAnswer,
    SkuAtSource,
    SkuFound,
)
from compliance_service.wording import hold_detail, rejection_detail

ORDERS_LISTED = 100


class SeveralSellers(Conflict):
    slug, title = "several-sellers", "Several sellers of this account have an order with this id"
    fix = "Add ?selling_partner_id="


async def explain_order(
    session: AsyncSession, caller: Caller, amazon_order_id: str, selling_partner_id: str | None
) -> OrderDecisions:
    """The order's decisions, newest first, each with all that it saw. Raises `NotFound`, `SeveralSellers`."""
    query = caller.scoped(RoutedOrder).where(RoutedOrder.amazon_order_id == amazon_order_id)
    if selling_partner_id is not None:
        query = query.where(RoutedOrder.selling_partner_id == selling_partner_id)
    orders = (await session.exec(query.limit(2))).all()
    if not orders:
        raise NotFound("routing knows no such order", fix="Orders that are not imported are explained by orders")
    if len(orders) > 1:
        raise SeveralSellers
    order = orders[0]
    rows = (
        await session.exec(
            select(RoutingDecision, SourcesSnapshot)
            .join(
                SourcesSnapshot,
                (col(SourcesSnapshot.account_id) == RoutingDecision.account_id)
                & (col(SourcesSnapshot.digest) == RoutingDecision.sources_digest),
            )
            .where(RoutingDecision.order_id == order.id)
            .order_by(col(RoutingDecision.decision_version).desc())
        )
    ).all()
    decisions = [_decision(row, snapshot) for row, snapshot in rows]
    return OrderDecisions(
        selling_partner_id=order.selling_partner_id,
        amazon_order_id=order.amazon_order_id,
        state=order.state,
        order_version=order.order_version,
        order_holds=order.holds,
        latest=decisions[0] if decisions else None,
        history=decisions[1:],
    )


def _decision(row: RoutingDecision, snapshot: SourcesSnapshot) -> DecisionAnswer:
    decision, sources = read_decision(row), read_sources(snapshot.sources)
    names = {source.source_id: source.name for source in sources}
    if decision.hold:
        detail = hold_detail(decision, sources, read_inputs(row.inputs).group)
    else:
        detail = "Shipped by " + ", ".join(dict.fromkeys(names[part.source_id] for part in decision.plan))
    return DecisionAnswer(
        decision_version=row.decision_version,
        order_version=row.order_version,
        outcome=row.outcome,
        cause=row.cause,
        code=row.code,
        detail=detail,
        decided_at=row.decided_at,
        plan=[
            AssignmentAnswer(source_name=names[part.source_id], **msgspec.structs.asdict(part))
            for part in decision.plan
        ],
        rejected=[
            RejectedAnswer(
                source_id=rejection.source_id,
                source_name=names[rejection.source_id],
                code=rejection.code,
                detail=rejection_detail(rejection, names[rejection.source_id]),
            )
            for rejection in decision.rejected
        ],
        inputs=row.inputs,
        sources=snapshot.sources,
    )


def is_compliant(source: Source, at: datetime) -> bool:
    """Whether the source's attestation holds at that time."""
    return source.compliant and (source.attested_until is None or source.attested_until > at)


def eligibility(source: Source, channel_type: str, purchased_at: datetime) -> EligibilityAnswer:
    """Whether a source may ship orders of that kind bought then, stock aside."""
    reasons = [] if source.enabled else ["disabled"]
    if required_agreement(channel_type, purchased_at) and not is_compliant(source, clock.now()):
        reasons.append("not_compliant")
    return EligibilityAnswer(source_id=source.id, source_name=source.name, eligible=not reasons, reasons=reasons)


async def non_compliant_sources(session: AsyncSession, caller: Caller) -> list[NonCompliantSource]:
    """Every source without a valid attestation, with the held orders that it has goods for."""
    now = clock.now()
    sources = (await session.exec(caller.scoped(Source).order_by(col(Source.name)))).all()
    rows = await run(
        session,
        "select (barred->>'source_id')::uuid, count(*) over (partition by barred->>'source_id'), o.selling_partner_id, "
        "o.amazon_order_id, o.purchased_at, o.ship_by, o.hold->>'code', "
        "row_number() over (partition by barred->>'source_id' order by o.purchased_at, o.id) "
        "from routed_order o, jsonb_array_elements(o.hold->'rejected') barred "
        "where o.account_id = $1 and o.state = 'held' and barred->>'code' = 'not_compliant' order by o.purchased_at",
        caller.account_id,
    )
    held: dict[UUID, list[HeldOrder]] = {}
    counts: dict[UUID, int] = {}
    for source_id, count, seller, order_id, purchased_at, ship_by, code, position in rows:
        counts[source_id] = count
        if position <= ORDERS_LISTED:
            held.setdefault(source_id, []).append(
                HeldOrder(
                    selling_partner_id=seller,
                    amazon_order_id=order_id,
                    purchased_at=purchased_at,
                    ship_by=ship_by,
                    code=code,
                )
            )
    return [
        NonCompliantSource(
            source_id=source.id,
            source_name=source.name,
            kind=source.kind,
            attestation_version=source.attestation_version,
            held_orders=counts.get(source.id, 0),
            orders=held.get(source.id, []),
        )
        for source in sources
        if not is_compliant(source, now)
    ]


async def look_up(session: AsyncSession, caller: Caller, skus: Sequence[str]) -> LookupAnswer:
    """Which of the SKUs exist in the account's source inventory and at which sources; compared byte for byte (B13)."""
    wanted = list(dict.fromkeys(skus))
    rows = await run(
        session,
        f"select s.sku, s.source_id, o.name, s.quantity, {AVAILABLE} "  # noqa: S608 - own text
        "from source_stock s join source o on o.id = s.source_id "
        "where s.account_id = $1 and s.sku = any($2) order by o.priority, o.name",
        caller.account_id,
        # A SKU with NUL exists nowhere, and PostgreSQL would refuse to look for it.
        [sku for sku in wanted if "\x00" not in sku],
    )
    found: dict[str, list[SkuAtSource]] = {}
    for sku, source_id, name, quantity, available in rows:
        found.setdefault(sku, []).append(
            SkuAtSource(source_id=source_id, source_name=name, quantity=quantity, available=available)
        )
    return LookupAnswer(
        found=[SkuFound(sku=sku, sources=found[sku]) for sku in wanted if sku in found],
        missing=[sku for sku in wanted if sku not in found],
    )
