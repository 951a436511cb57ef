"""Attestations that run out: warned of before, switched off then, with the reason told."""

from datetime import timedelta
from uuid import UUID

import pytest

from common import clock
from common.bulk import run
from common.contracts.compliance import OrderRouted, SourceAttestationExpiring, SourceComplianceChanged
from common.testing.plugin import Running
from compliance_service import attesting
from compliance_service.testing import Merchant

DAYS = (1, 7, 30)


async def attested_for(merchant: Merchant, name: str, **left: float) -> UUID:
    source = await merchant.source(name, attested=False)
    await merchant.attest(source, expires_at=(clock.now() + timedelta(**left)).isoformat())
    return source


async def warnings(merchant: Merchant) -> list[tuple[str, int, int]]:
    return [
        (event.source_name, event.attestation_version, event.days_before)
        for event in await merchant.announced()
        if isinstance(event, SourceAttestationExpiring)
    ]


async def time_passes(running: Running, source_id: UUID, **left: float) -> None:
    """So much is left of the source's attestation, as if the rest had gone by."""
    async with running.runtime.db.transaction() as session:
        until = clock.now() + timedelta(**left)
        await run(session, "update source set attested_until = $2 where id = $1", source_id, until)


@pytest.mark.row("D2")
async def test_each_warning_before_an_attestation_runs_out_goes_out_once(merchant: Merchant, running: Running) -> None:
    source = await attested_for(merchant, "Nordlager", days=40)
    await attested_for(merchant, "For ever", days=4000)

    assert await attesting.warn_due(running.runtime.db, DAYS) == 0
    for left in (29, 28, 6.5, 0.5):
        await time_passes(running, source, days=left)
        await attesting.warn_due(running.runtime.db, DAYS)

    assert await warnings(merchant) == [("Nordlager", 1, 30), ("Nordlager", 1, 7), ("Nordlager", 1, 1)]


@pytest.mark.row("D2")
async def test_an_attestation_given_for_a_few_days_is_warned_of_once_and_a_new_one_anew(
    merchant: Merchant, running: Running
) -> None:
    source = await attested_for(merchant, "Nordlager", days=5)
    assert await attesting.warn_due(running.runtime.db, DAYS) == 1
    assert await attesting.warn_due(running.runtime.db, DAYS) == 0
    await merchant.attest(source, expires_at=(clock.now() + timedelta(days=6)).isoformat())
    await attesting.warn_due(running.runtime.db, DAYS)
    await attesting.warn_due(running.runtime.db, ())

    assert await warnings(merchant) == [("Nordlager", 1, 7), ("Nordlager", 2, 7)]


@pytest.mark.row("D2")
async def test_what_runs_out_soon_is_listed_soonest_first(merchant: Merchant) -> None:
    await attested_for(merchant, "Later", days=20)
    await attested_for(merchant, "Soon", days=2)
    await attested_for(merchant, "Far", days=90)
    await merchant.source("No end")

    listed = await merchant.call("GET", "/v1/attestations/expiring", params={"within_days": 30})

    assert [(item["source_name"], item["days_left"]) for item in listed["items"]] == [("Soon", 1), ("Later", 19)]


@pytest.mark.row("D5")
async def test_an_expired_attestation_is_announced_with_that_reason(merchant: Merchant, running: Running) -> None:
    source = await attested_for(merchant, "Nordlager", days=1)
    await time_passes(running, source, seconds=-1)

    assert await attesting.expire_due(running.runtime.db) == 1

    changes = [e for e in await merchant.announced() if isinstance(e, SourceComplianceChanged)]
    assert [(c.compliant, c.reason, c.attested_until is None) for c in changes] == [
        (True, "given", False),
        (False, "expired", True),
    ]
    assert (await merchant.call("GET", f"/v1/sources/{source}"))["compliant"] is False
    again = await merchant.call(
        "POST", f"/v1/sources/{source}/attestation/withdraw", expect=409, json={"withdrawn_by": "x"}
    )
    assert again["type"] == "/problems/not-attested"


@pytest.mark.row("D5")
async def test_a_route_says_until_when_its_sources_are_attested(merchant: Merchant) -> None:
    source = await attested_for(merchant, "Nordlager", days=1)
    await merchant.restock(source, {"A": 1})
    await merchant.deliver(merchant.order("O-1", {"A": 1}))
    (routed,) = await merchant.decisions()
    assert isinstance(routed, OrderRouted)
    (allocation,) = routed.allocations
    until = allocation.attested_until
    assert until is not None
    assert until > clock.now()
    assert allocation.source_name == "Nordlager"
