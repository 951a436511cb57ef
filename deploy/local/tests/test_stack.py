"""The stack starts in the stated order, not twice on the same state, and gives way to the user's own servers."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack.ports import accepts
from local_stack.stack import INFRASTRUCTURE, Component, Stack, StackBusy, open_state, start_stack
from local_stack.supervisor import Server
from local_stack.testing import start_test_servers

IsGone = Callable[[int], bool]


def component(name: str, *after: str) -> Component:
    def build(_: Stack, __: int) -> Server | None:
        return None

    return Component(name=name, build=build, after=after)


def test_components_start_after_what_they_name(tmp_path: Path) -> None:
    started: list[str] = []
    components = [component("orders", "migrations"), component("migrations", "postgres"), component("postgres")]
    start_stack(components, Stack(tmp_path, {}), started.append)
    assert started == ["postgres", "migrations", "orders"]


def test_a_component_after_an_unknown_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="orders starts after postgras, which is not in the stack"):
        start_stack([component("orders", "postgras")], Stack(tmp_path, {}), print)


def test_the_users_own_servers_are_used_and_none_is_started(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql://db.example/postgres", "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092"}
    stack = Stack(tmp_path, dict(environment))
    start_stack(INFRASTRUCTURE, stack, lambda _: None)
    assert stack.supervisor.servers == {}
    assert stack.environment == environment


def test_a_second_launcher_on_the_same_state_is_refused(tmp_path: Path) -> None:
    lock = open_state(tmp_path)
    with pytest.raises(StackBusy, match="another stack runs on"):
        open_state(tmp_path)
    os.close(lock)
    os.close(open_state(tmp_path))


def test_up_serves_until_sigterm_and_leaves_nothing(tmp_path: Path, is_gone: IsGone) -> None:
    command = [sys.executable, "-m", "local_stack", "up", "--state", str(tmp_path / "run")]
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}
    }
    launcher = subprocess.Popen(
        command, env=environment | {"COLUMNS": "200"}, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert launcher.stdout is not None
    lines: list[str] = []
    for line in launcher.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    ports = {int(port) for line in lines for port in re.findall(r"127\.0\.0\.1:(\d+)", line)}
    assert len(ports) == 7  # PostgreSQL, the broker, the local Amazon and four services
    assert all(map(accepts, ports))
    launcher.send_signal(signal.SIGTERM)
    assert launcher.stdout.read().endswith("stopped\n")
    assert launcher.wait() == 0
    launcher.stdout.close()
    assert not any(map(accepts, ports))


def test_a_test_session_gets_both_servers_or_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/postgres")
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    servers = start_test_servers("embedded")
    port = int(servers.environment["KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")[2])
    assert servers.environment["DATABASE_URL"] == "postgresql://db.example/postgres"
    assert accepts(port)
    servers.stop()
    assert not accepts(port)


LOSES_CANCELLATIONS = """
import asyncio, sys
from pathlib import Path
from local_stack.__main__ import foreground
from local_stack.supervisor import Supervisor

async def work():
    print("working", flush=True)
    try:
        await asyncio.sleep(20)
    except asyncio.CancelledError:
        pass
    print("went on")

with foreground(Path(sys.argv[1]), Supervisor()):
    asyncio.run(work())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_library_that_loses_a_cancellation_does_not_keep_the_stack_alive(number: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOSES_CANCELLATIONS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "working\n"
        launcher.send_signal(number)
        assert launcher.stdout.read().endswith("stopped\n")
