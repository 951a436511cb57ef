"""`make demo` as a visitor runs it: every step proves itself, the counts are right, and nothing stays behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]


def environment() -> dict[str, str]:
    """Without the session's own servers: the demo starts everything itself."""
    return {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")
    }


def lives(process: psutil.Process) -> bool:
    """A zombie holds nothing any more: it waits for its new parent to read its end."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def still_there(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that live on; one whose parent was killed as it started it follows it a moment later."""
    left = list(processes)
    deadline = time.monotonic() + 30
    while left := [process for process in left if lives(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


def started_by(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


@pytest.mark.row("A1", "A2", "A5", "A6", "A8", "A9", "B1", "B2", "B3", "C1", "C2", "C3", "C6", "C7", "C8")
@pytest.mark.row("D1", "D2", "D3", "D4", "D5", "E1", "E3", "E4")
def test_the_demo_passes_every_step_and_leaves_no_process(tmp_path: Path) -> None:
    written = tmp_path / "demo.json"
    seen: dict[int, psutil.Process] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "local_stack", "demo", "--json", str(written)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        watched = psutil.Process(demo.pid)
        while demo.poll() is None:
            try:
                seen |= {process.pid: process for process in started_by(watched)}
            except psutil.NoSuchProcess:
                break
            time.sleep(0.2)
        output = demo.stdout.read() if demo.stdout else ""
    assert demo.returncode == 0, output
    assert "steps passed in" in output.strip().splitlines()[-1]
    document = json.loads(written.read_text())
    expected = {
        "connections": 2,
        "channels": 2,
        "sources": 2,
        "listings": 200,
        "linked": 188,
        "not_at_amazon": 12,
        "changes": 30,
        "orders": 40,
        "duplicates": 0,
        "routed_at_first": 30,
        "held": 10,
        "routed": 40,
        "tracking_rejected": 1,
        "confirmed": 40,
    }
    assert {name: document["counts"][name] for name in expected} == expected
    assert document["passed"] == document["of"]
    assert len(seen) > 7
    assert still_there(seen.values()) == []


def in_its_own_folder(folder: Path) -> dict[str, str]:
    """PostgreSQL's own user must reach it, so it is no folder of pytest's."""
    return environment() | {"TMPDIR": str(folder)}


@pytest.fixture
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.row("E4")
def test_a_demo_that_is_kept_says_how_to_use_it_and_leaves_nothing_after_ctrl_c(temporary_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local_stack", "demo", "--keep"],
        env=in_its_own_folder(temporary_folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        lines: list[str] = []
        for line in demo.stdout:
            lines.append(line)
            if "KEEP=1" in line:
                break
        output = "".join(lines)
        auth = re.search(r"auth +(\S+)/docs", output)
        key = re.search(r"key +(ent_\S+)", output)
        broker = re.search(r"broker +127\.0\.0\.1:(\d+)", output)
        moves = re.search(r"curl -X POST (\S+/sandbox/clock) -d '(.+?)'", output)
        assert auth, output
        assert key, output
        assert broker, output
        assert moves, output
        token = httpx.post(f"{auth[1]}/v1/token", headers={"authorization": f"Bearer {key[1]}"})
        assert token.status_code == 200, token.text
        socket.create_connection(("127.0.0.1", int(broker[1]))).close()
        assert httpx.post(moves[1], content=moves[2]).status_code == 200
        # An hour later the token has run out: the services' time has moved with Amazon's.
        bearer = {"authorization": f"Bearer {token.json()['access_token']}"}
        deadline = time.monotonic() + 60
        while httpx.get(f"{auth[1]}/v1/connections", headers=bearer).status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        processes = started_by(psutil.Process(demo.pid))
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
    assert still_there(processes) == []
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.row("E4")
def test_ctrl_c_stops_everything_and_leaves_no_process_and_no_file(temporary_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local_stack", "demo"],
        env=in_its_own_folder(temporary_folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        watched = psutil.Process(demo.pid)
        deadline = time.monotonic() + 60
        while len(started_by(watched)) < 5 and time.monotonic() < deadline:
            time.sleep(0.1)
        processes = started_by(watched)
        assert len(processes) >= 5
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    assert "stopped" in output
    assert still_there(processes) == []
    assert list(temporary_folder.iterdir()) == []
