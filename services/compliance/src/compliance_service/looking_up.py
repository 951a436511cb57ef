"""Which SKUs of a list exist in source inventory, and at which sources (MISSION B13)."""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from common.bulk import run
from common.callers import Caller
from compliance_service.decision_inputs import AVAILABLE
from compliance_service.schemas import LookupAnswer, SkuAtSource, SkuFound


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
