"""The toggle: what an attestation must say, what it leaves behind, and who may ship because of it."""

import csv
import io
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from common.bulk import run
from common.contracts.compliance import SourceComplianceChanged
from common.testing.plugin import Running
from compliance_service.testing import Merchant


@pytest.mark.row("D2")
async def test_the_history_tells_who_attested_to_what_and_when(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    await merchant.attest(source, document_hash="a" * 64, expires_at="2099-01-01T00:00:00Z")
    await merchant.withdraw_attestation(source)
    await merchant.attest(source, agreement_version="2026-07", attested_by="Second officer")

    history = (await merchant.call("GET", f"/v1/sources/{source}/attestations"))["items"]

    told = [(e["version"], e["action"], e["by_whom"], e["agreement_version"], e["document_hash"]) for e in history]
    assert told == [
        (3, "given", "Second officer", "2026-07", None),
        (2, "withdrawn", "Head of compliance", None, None),
        (1, "given", "Head of compliance", "2026-01", "a" * 64),
    ]
    state = await merchant.call("GET", f"/v1/sources/{source}")
    assert (state["compliant"], state["attestation_version"], state["attested_until"]) == (True, 3, None)
    changes = [e for e in await merchant.announced() if isinstance(e, SourceComplianceChanged)]
    assert [(c.compliant, c.attestation_version) for c in changes] == [(True, 1), (False, 2), (True, 3)]


@pytest.mark.row("D1")
async def test_a_new_name_is_announced_with_the_attestation_as_it_stands(merchant: Merchant) -> None:
    source = await merchant.source("Nordlager", attested=False)
    for change in ({"name": "Nord"}, {"name": "Nord"}, {"priority": 3}):
        await merchant.call("PATCH", f"/v1/sources/{source}", json=change)
    await merchant.attest(source, expires_at="2099-01-01T00:00:00Z")
    await merchant.call("PATCH", f"/v1/sources/{source}", json={"name": "Nordlager GmbH"})
    await merchant.withdraw_attestation(source)
    await merchant.call("PATCH", f"/v1/sources/{source}", json={"name": "Nordlager AG"})

    changes = [e for e in await merchant.announced() if isinstance(e, SourceComplianceChanged)]

    assert [(c.source_name, c.attestation_version, c.compliant, c.reason) for c in changes] == [
        ("Nord", 0, False, None),
        ("Nord", 1, True, "given"),
        ("Nordlager GmbH", 1, True, "given"),
        ("Nordlager GmbH", 2, False, "withdrawn"),
        ("Nordlager AG", 2, False, "withdrawn"),
    ]
    assert changes[2].attested_until == changes[1].attested_until is not None


@pytest.mark.row("D2")
@pytest.mark.parametrize(
    "statement", ["update attestation set by_whom = 'x'", "delete from attestation", "truncate attestation"]
)
async def test_the_database_refuses_to_rewrite_history(merchant: Merchant, running: Running, statement: str) -> None:
    await merchant.source("One")
    with pytest.raises(DBAPIError, match="append-only"):
        async with running.runtime.db.transaction() as session:
            await run(session, statement)


@pytest.mark.row("D2")
@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"attested_by": "x"}, "body.agreement_version"),
        ({"agreement_version": "1"}, "body.attested_by"),
        ({"agreement_version": " ", "attested_by": "x"}, "body.agreement_version"),
        ({"agreement_version": "1", "attested_by": "x", "document_hash": "short"}, "body.document_hash"),
        ({"agreement_version": "1", "attested_by": "x", "expires_at": "2099-01-01T00:00:00"}, "body.expires_at"),
        ({"agreement_version": "1", "attested_by": "x", "expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
        ({"agreement_version": "1", "attested_by": "x", "expires_at": "9999-12-31T23:59:59-01:00"}, "body.expires_at"),
        ({"agreement_version": "1", "attested_by": "x", "expires_at": "0001-01-01T00:00:00+14:00"}, "body.expires_at"),
    ],
)
async def test_an_incomplete_attestation_is_refused_with_the_reason(
    merchant: Merchant, body: dict[str, str], where: str
) -> None:
    source = await merchant.source("One", attested=False)

    problem = await merchant.call("PUT", f"/v1/sources/{source}/attestation", expect=400, json=body)

    assert [error["where"] for error in problem["errors"]] == [where]
    assert (await merchant.call("GET", f"/v1/sources/{source}"))["compliant"] is False
    assert await merchant.announced() == []


async def test_what_was_never_attested_cannot_be_withdrawn(merchant: Merchant) -> None:
    source = await merchant.source("One", attested=False)
    problem = await merchant.call(
        "POST", f"/v1/sources/{source}/attestation/withdraw", expect=409, json={"withdrawn_by": "Head of compliance"}
    )
    assert problem["type"] == "/problems/not-attested"


@pytest.mark.row("D2")
async def test_a_bulk_change_has_a_result_per_source(merchant: Merchant) -> None:
    one = await merchant.source("One", attested=False)
    two = await merchant.source("Two")
    unknown = uuid4()
    ids = [str(one), str(unknown), str(two)]

    given = await merchant.call(
        "POST",
        "/v1/attestations/bulk",
        json={"source_ids": ids, "attestation": {"agreement_version": "2", "attested_by": "x"}},
    )
    withdrawn = await merchant.call(
        "POST", "/v1/attestations/bulk", json={"source_ids": ids, "withdrawal": {"withdrawn_by": "x"}}
    )
    again = await merchant.call(
        "POST", "/v1/attestations/bulk", json={"source_ids": [str(one)], "withdrawal": {"withdrawn_by": "x"}}
    )
    neither = await merchant.call("POST", "/v1/attestations/bulk", expect=400, json={"source_ids": ids})

    assert [(r["attestation_version"], r["compliant"]) for r in given["results"]] == [
        (1, True),
        (None, None),
        (2, True),
    ]
    assert given["results"][1]["error"]["code"] == "not-found"
    assert [(r["attestation_version"], r["compliant"]) for r in withdrawn["results"]] == [
        (2, False),
        (None, None),
        (3, False),
    ]
    assert again["results"][0]["error"]["code"] == "not-attested"
    assert neither["type"] == "/problems/attestation-or-withdrawal"


@pytest.mark.row("D6")
@pytest.mark.row("D3")
async def test_eligibility_names_the_reasons(merchant: Merchant) -> None:
    await merchant.source("Attested")
    await merchant.source("Bare", attested=False)
    off = await merchant.source("Off")
    await merchant.call("PATCH", f"/v1/sources/{off}", json={"enabled": False})

    async def reasons(**query: str) -> dict[str, list[str]]:
        page = await merchant.call("GET", "/v1/eligibility", params=query)
        return {item["source_name"]: item["reasons"] for item in page["items"]}

    assert await reasons() == {"Attested": [], "Bare": ["not_compliant"], "Off": ["disabled"]}
    assert (await reasons(channel_type="webshop"))["Bare"] == []
    assert (await reasons(purchased_at="2022-09-21T00:00:00Z"))["Bare"] == []


@pytest.mark.row("D6")
async def test_the_report_lists_non_compliant_sources_with_the_orders_they_hold(merchant: Merchant) -> None:
    bare = await merchant.source("Bare", {"A": 5}, attested=False)
    await merchant.source("Idle", {"B": 5}, attested=False)
    await merchant.source("Attested", {"C": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 1}), merchant.order("O-2", {"C": 1}))

    report = (await merchant.call("GET", "/v1/reports/non-compliant-sources"))["items"]

    assert [(r["source_name"], r["held_orders"]) for r in report] == [("Bare", 1), ("Idle", 0)]
    assert report[0]["source_id"] == str(bare)
    assert [(o["amazon_order_id"], o["code"]) for o in report[0]["orders"]] == [("O-1", "none_compliant")]


@pytest.mark.row("D6")
async def test_the_report_is_a_csv_file_and_a_page_to_print(merchant: Merchant) -> None:
    await merchant.source("=Bare & <b>Sons</b>", {"A": 5}, attested=False)
    await merchant.source("Idle", {"B": 5}, attested=False)
    await merchant.source("Attested", {"C": 5})
    await merchant.deliver(merchant.order("O-1", {"A": 1}), merchant.order("O-2", {"A": 1}))

    file = await merchant.fetch("/v1/reports/non-compliant-sources.csv")
    page = await merchant.fetch("/v1/reports/non-compliant-sources.html")

    rows = sorted(csv.DictReader(io.StringIO(file.text)), key=lambda row: row["amazon_order_id"] or "z")
    assert file.headers["content-type"].startswith("text/csv")
    assert sorted((row["source_name"], row["amazon_order_id"], row["code"]) for row in rows) == [
        ("'=Bare & <b>Sons</b>", "O-1", "none_compliant"),
        ("'=Bare & <b>Sons</b>", "O-2", "none_compliant"),
        ("Idle", "", ""),
    ]
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Bare &amp; &lt;b&gt;Sons&lt;/b&gt;" in page.text
    assert "<b>" not in page.text
    assert "@media print" in page.text
    assert page.text.count("<td>O-") == 2
    assert "Attested" not in page.text
