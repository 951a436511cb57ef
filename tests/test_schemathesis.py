"""Schemathesis over all four services as they run, on real PostgreSQL: every check, examples, boundaries, fuzzing and
sequences of calls, with a token of everything and without one. `make fuzz` runs it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICES = ("auth", "listings", "orders", "compliance")
HERE = Path(__file__).parent
SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
SEED = os.environ.get("FUZZ_SEED", "1")

pytestmark = pytest.mark.skipif(
    not SECONDS, reason="`make fuzz` runs it: paths that fit another's template still fail its look at Allow"
)


@pytest.mark.edge(32)
@pytest.mark.timeout(1200 + 10 * SECONDS)
@pytest.mark.parametrize("token", [True, False], ids=["with a token", "without"])
@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_answers_as_its_document_says(name: str, token: bool, open_world: Any, tmp_path: Path) -> None:
    world = await open_world(name)
    arguments = [
        "run",
        f"{world.running.url}/openapi.json",
        "--checks",
        "all",
        "--no-color",
        "--seed",
        SEED,
        "--max-time",
        str(SECONDS),
    ]
    arguments += ["--phases", "examples,coverage,fuzzing,stateful"]
    if name == "listings":
        # PATCH of `/v1/listings/csv` fits `/v1/listings/{listing_id}`; `test_one_api.py` holds every 405.
        arguments += ["--exclude-checks", "unsupported_method"]
    if token:
        arguments += ["--header", f"Authorization: {world.headers['authorization']}"]
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(HERE.parent / "schemathesis.toml"),
            *arguments,
        ),
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE), "FUZZED_IDS": json.dumps(world.ids)},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    print(told.decode())
    assert process.returncode == 0
