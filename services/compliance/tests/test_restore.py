"""Years later: what was decided and attested is told from a restored dump as before, and is still protected."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from common.bulk import run
from common.testing.identity import Issuer
from common.testing.plugin import Running, RunService
from compliance_service import replaying
from compliance_service.app import SERVICE
from compliance_service.testing import Merchant
from local_stack.postgres import PROGRAMS


async def program(name: str, *arguments: str) -> None:
    """A program of PostgreSQL's own, from the wheel that the tests' server is from."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAMS / name),
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.mark.row("D2", "D4", "D6")
async def test_the_auditors_answer_survives_a_dump_and_its_restore(
    merchant: Merchant, running: Running, channel: UUID, run_service: RunService, issuer: Issuer, tmp_path: Path
) -> None:
    source = await merchant.source("Nordlager", {"A/B": 5}, attested=False)
    await merchant.deliver(merchant.order("O-1", {"A/B": 2}, channel_id=channel))
    await merchant.attest(source, document_hash="c" * 64, expires_at="2099-01-01T00:00:00Z")
    await merchant.run_jobs()
    await merchant.deliver(merchant.shipped("O-1", [("O-1-0", "A/B", 2)], source_id=source, decision_version=2))
    await merchant.withdraw_attestation(source)
    told = await merchant.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions")
    history = await merchant.call("GET", f"/v1/sources/{source}/attestations")
    dump = tmp_path / "compliance.sql"
    await program("pg_dump", "--dbname", running.runtime.db.url, "--no-owner", "--file", str(dump))

    restored = await run_service(SERVICE)
    async with restored.runtime.db.transaction() as session:
        await run(session, "drop schema public cascade")
        await run(session, "create schema public")
    url = restored.runtime.db.url
    await program("psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", url, "--file", str(dump))
    later = Merchant(restored, issuer)
    later.headers = merchant.headers

    assert await later.call("GET", "/v1/sellers/A1SELLER/orders/O-1/decisions") == told
    assert told["latest"]["attestations"][0]["by_whom"] == "Head of compliance"
    assert await later.call("GET", f"/v1/sources/{source}/attestations") == history
    assert (await later.call("POST", "/v1/sellers/A1SELLER/orders/O-1/decisions/replay"))["same"] is True
    assert (await replaying.replay_all(restored.runtime.db)).same == 2
    for table in ("attestation", "routing_decision", "sources_snapshot"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with restored.runtime.db.transaction() as session:
                await run(session, f"delete from {table}")
