"""Children are started, watched, stopped in turn, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local_stack.ports import LOOPBACK, accepts, answers, free_port
from local_stack.processes import Child, ChildFailed, Program
from local_stack.supervisor import Service, Supervisor, memory_of

IsGone = Callable[[int], bool]


def python(name: str, code: str, grace_seconds: float = 10) -> Program:
    return Program(name=name, argv=(sys.executable, "-u", "-c", code), grace_seconds=grace_seconds)


def web(name: str, log_dir: Path) -> Service:
    port = free_port()
    argv = (sys.executable, "-m", "http.server", "--bind", LOOPBACK, str(port))
    program = Program(name=name, argv=argv, cwd=log_dir)
    return Service(program, f"http://{LOOPBACK}:{port}/", log_dir)


def test_a_child_that_dies_before_it_is_ready_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child(python("broken", "print('no such setting: PORT'); raise SystemExit(3)"), tmp_path / "broken.log")
    with pytest.raises(ChildFailed, match=r"(?s)broken exited with status 3 .*\| no such setting: PORT"):
        child.wait_until(lambda _: False)


def test_a_child_that_is_not_ready_in_time_is_reported_and_gone(tmp_path: Path, is_gone: IsGone) -> None:
    class NeverReady(Service):
        start_seconds = 0.2

    service = NeverReady(python("slow", "import time; time.sleep(600)"), f"http://{LOOPBACK}:{free_port()}/", tmp_path)
    service.launch()
    pid = service.child.pid
    with pytest.raises(ChildFailed, match=r"slow was not ready after 0\.2 s and wrote nothing"):
        service.wait_until_ready()
    assert is_gone(pid)


def test_the_report_leaves_out_what_an_earlier_run_wrote_to_the_same_log(tmp_path: Path) -> None:
    log = tmp_path / "twice.log"
    for word in ("first", "second"):
        child = Child(python("twice", f"print('{word}'); import time; time.sleep(600)"), log)
        child.wait_until(lambda child: child.output().endswith("\n"))
        child.stop()
    assert child.output() == "second\n"


def test_a_child_that_ignores_sigterm_is_killed_with_all_it_started(tmp_path: Path, is_gone: IsGone) -> None:
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, 'up'); time.sleep(600)"
    )
    child = Child(python("stubborn", code, grace_seconds=0.2), tmp_path / "stubborn.log")
    child.wait_until(lambda child: "up" in child.output())
    grandchild = int(child.output().split()[0])
    child.stop()
    assert child.returncode == -signal.SIGKILL
    assert is_gone(grandchild)


def test_servers_answer_then_stop_in_reverse_order(tmp_path: Path, is_gone: IsGone) -> None:
    stopped: list[str] = []

    class Recorded(Service):
        def stop(self) -> None:
            super().stop()
            stopped.append(self.name)

    with Supervisor() as supervisor:
        first, second = (
            Recorded(service.program(), service.health_url, tmp_path)
            for service in (web("first", tmp_path), web("second", tmp_path))
        )
        supervisor.start(first, second)
        pids = [first.child.pid, second.child.pid]
        assert answers(first.health_url)
        assert answers(second.health_url)
    assert stopped == ["second", "first"]
    assert all(is_gone(pid) for pid in pids)


def test_a_killed_server_is_noticed_and_can_be_started_again(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        service = web("service", tmp_path)
        supervisor.start(service)
        os.kill(service.child.pid, signal.SIGKILL)
        with pytest.raises(ChildFailed, match="service exited with status -9"):
            supervisor.wait()
        service.kill()
        service.start()
        assert answers(service.health_url)


def test_memory_counts_a_process_and_its_descendants(tmp_path: Path) -> None:
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()']); print('up'); p.wait()"
    alone = Child(python("alone", "print('up'); import time; time.sleep(600)"), tmp_path / "alone.log")
    family = Child(
        python("family", code.replace("'input()'", "'import time; time.sleep(600)'")), tmp_path / "family.log"
    )
    for child in (alone, family):
        child.wait_until(lambda child: "up" in child.output())
    both = memory_of([alone.pid, family.pid])
    assert both.resident > memory_of([alone.pid]).resident + psutil.Process(family.pid).memory_info().rss
    for child in (alone, family):
        child.stop()


def test_killing_the_launcher_with_sigkill_leaves_no_process(tmp_path: Path, is_gone: IsGone) -> None:
    launcher_code = f"""
import pathlib, time
from local_stack.broker import Broker
from local_stack.postgres import PostgresServer
from local_stack.processes import descendants
from local_stack.supervisor import Supervisor
directory = pathlib.Path({str(tmp_path)!r})
supervisor = Supervisor()
supervisor.start(PostgresServer(directory / "postgres"), Broker(directory / "broker"))
pids = [p.pid for server in supervisor.servers.values()
        for p in (server.child, *descendants(server.child.pid))]
print(*pids, flush=True)
time.sleep(600)
"""
    launcher = subprocess.Popen([sys.executable, "-c", launcher_code], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    pids = [int(pid) for pid in launcher.stdout.readline().split()]
    launcher.kill()
    launcher.wait()
    launcher.stdout.close()
    assert len(pids) > 3  # PostgreSQL has children of its own
    assert all(is_gone(pid) for pid in pids)


def test_a_free_port_is_given_once_and_is_kept_for_its_server_while_that_is_down(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    server = web("kept", tmp_path)
    port = int(server.health_url.rsplit(":", 1)[1].strip("/"))
    for _ in range(2):
        assert not accepts(port)
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind((LOOPBACK, port))
        server.start()
        server.kill()
