"""Schemathesis over all four services as they run, on real PostgreSQL: every check, examples, boundaries, fuzzing and
sequences of calls, with a token of everything and without one. Strangers here; `make fuzz` lets the owner
of everything in as well, and takes its time."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICES = ("auth", "listings", "orders", "compliance")
ROOT = Path(__file__).parent.parent
SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
SEED = os.environ.get("FUZZ_SEED", "1")
# Bodies that are no JSON are read as they come and have tests of their own.
NOT_JSON = ("upload_listings", "upload_inventory", "look_up_inventory_csv", "check_packing_slip")


@pytest.mark.edge(32)
@pytest.mark.timeout(1200 + 10 * SECONDS)
@pytest.mark.parametrize("token", [True, False], ids=["with a token", "without"])
@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_answers_as_its_document_says(name: str, token: bool, open_world: Any) -> None:
    if token and not SECONDS:
        pytest.skip("long: `make fuzz` runs it")
    world = await open_world(name)
    arguments = ["run", f"{world.running.url}/openapi.json", "--checks", "all", "--seed", SEED, "--no-color"]
    arguments += ["--phases", "examples,coverage,fuzzing,stateful" if token else "examples,fuzzing"]
    arguments += ["--max-time", str(SECONDS or 20)]
    for operation in NOT_JSON:
        arguments += ["--exclude-operation-id", operation]
    if token:
        arguments += ["--header", f"Authorization: {world.headers['authorization']}"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "schemathesis.toml"), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()[-20_000:]
