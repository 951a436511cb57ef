"""Who may ship what, and the sources without a valid attestation with the orders they hold up (MISSION D6): as data, as
a CSV file of any length, and as a page to print."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from html import escape
from uuid import UUID

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from common import clock
from common.bulk import run
from common.callers import Caller
from common.contracts.agreements import RULES, required_agreement
from common.db import Database
from compliance_service.csv_text import csv_text, safe_cell
from compliance_service.models import Source
from compliance_service.schemas import EligibilityAnswer, HeldOrderAnswer, NonCompliantSourceAnswer

ORDERS_LISTED = 100
CSV_PAGE = 1000
CSV_COLUMNS = (
    "source_id",
    "source_name",
    "kind",
    "attestation_version",
    "selling_partner_id",
    "amazon_order_id",
    "purchased_at",
    "ship_by",
    "code",
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


async def non_compliant_sources(session: AsyncSession, caller: Caller) -> list[NonCompliantSourceAnswer]:
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
    held: dict[UUID, list[HeldOrderAnswer]] = {}
    counts: dict[UUID, int] = {}
    for source_id, count, seller, order_id, purchased_at, ship_by, code, position in rows:
        counts[source_id] = count
        if position <= ORDERS_LISTED:
            held.setdefault(source_id, []).append(
                HeldOrderAnswer(
                    selling_partner_id=seller,
                    amazon_order_id=order_id,
                    purchased_at=purchased_at,
                    ship_by=ship_by,
                    code=code,
                )
            )
    return [
        NonCompliantSourceAnswer(
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


_BARRED = """
select o.purchased_at, o.id, barred->>'source_id', o.selling_partner_id, o.amazon_order_id, o.ship_by, o.hold->>'code'
from (
    select * from routed_order
    where account_id = $1 and state = 'held'
        and ($2::timestamptz is null or (purchased_at, id) > ($2, $3::uuid))
    order by purchased_at, id limit $4) o
left join lateral (
    select value as barred from jsonb_array_elements(o.hold->'rejected') where value->>'code' = 'not_compliant'
) b on true
order by o.purchased_at, o.id, barred->>'source_id'
"""


async def csv_report(db: Database, caller: Caller) -> AsyncIterator[str]:
    """The whole report as CSV, read page by page while it is sent: a line for each held order and source that bars it,
    oldest purchase first, then the sources without attestation that hold nothing up."""
    async with db.transaction() as session:
        query = caller.scoped(Source).order_by(col(Source.name))
        sources = {source.id: source for source in (await session.exec(query)).all()}
    now = clock.now()
    idle = {source_id for source_id, source in sources.items() if not is_compliant(source, now)}
    yield csv_text([CSV_COLUMNS])
    after: tuple[datetime | None, UUID | None] = (None, None)
    while True:
        async with db.transaction() as session:
            rows = await run(session, _BARRED, caller.account_id, *after, CSV_PAGE)
        lines = []
        for purchased_at, _, barred, seller, order_id, ship_by, code in rows:
            source = sources.get(UUID(barred)) if barred else None
            if source is not None and not is_compliant(source, now):
                idle.discard(source.id)
                lines.append((*_source_cells(source), seller, order_id, _time(purchased_at), _time(ship_by), code))
        yield csv_text(lines)
        if len({row[1] for row in rows}) < CSV_PAGE:
            break
        after = (rows[-1][0], rows[-1][1])
    yield csv_text([(*_source_cells(source), "", "", "", "", "") for source in sources.values() if source.id in idle])


def _source_cells(source: Source) -> tuple[str, ...]:
    return (str(source.id), safe_cell(source.name), source.kind, str(source.attestation_version))


def _time(at: datetime | None) -> str:
    return at.isoformat() if at else ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sources without attestation</title><style>
body {{ font: 11pt/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; color: #111 }}
h1 {{ font-size: 1.4rem }} h2 {{ font-size: 1.1rem; margin: 1.6rem 0 .3rem }}
table {{ border-collapse: collapse; width: 100% }} th, td {{ text-align: left; padding: .2rem .6rem .2rem 0 }}
th {{ border-bottom: 1px solid #111 }} td {{ border-bottom: 1px solid #ccc }}
@page {{ margin: 18mm }}
@media print {{ body {{ margin: 0; max-width: none }} h2 {{ break-after: avoid }} tr {{ break-inside: avoid }}
thead {{ display: table-header-group }} }}
</style></head><body>
<h1>Sources without attestation to the {agreement}</h1>
<p>{summary}</p>
{sections}
</body></html>
"""
_SECTION = """<section><h2>{name}</h2>
<p>{kind}, attestation version {version}, holds up {held} order(s).</p>
{orders}</section>"""
_ORDERS = """<table><thead><tr><th>Order</th><th>Seller</th><th>Bought</th><th>Ship by</th><th>Held because</th></tr>
</thead><tbody>{rows}</tbody></table>{more}"""


def html_report(report: Sequence[NonCompliantSourceAnswer], at: datetime) -> str:
    """The report as a page that prints well (pure); everything that people typed is escaped."""
    return _PAGE.format(
        agreement=escape(RULES[0].agreement),
        summary=f"{len(report)} source(s), as of {at:%Y-%m-%d %H:%M} UTC.",
        sections="\n".join(_section(source) for source in report) or "<p>Every source has attested.</p>",
    )


def _section(source: NonCompliantSourceAnswer) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(order)) + "</tr>" for order in source.orders
    )
    unlisted = source.held_orders - len(source.orders)
    more = f"<p>and {unlisted} more: see the CSV report</p>" if unlisted else ""
    return _SECTION.format(
        name=escape(source.source_name),
        kind=escape(source.kind),
        version=source.attestation_version or "none",
        held=source.held_orders,
        orders=_ORDERS.format(rows=rows, more=more) if rows else "",
    )


def _cells(order: HeldOrderAnswer) -> tuple[str, ...]:
    ship_by = f"{order.ship_by:%Y-%m-%d %H:%M}" if order.ship_by else ""
    bought = f"{order.purchased_at:%Y-%m-%d %H:%M}"
    return (order.amazon_order_id, order.selling_partner_id, bought, ship_by, order.code)
