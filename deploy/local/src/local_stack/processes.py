"""Child processes that cannot outlive us: each in its own group, with its own log, stopped gently, then for certain."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02
_TAIL_LINES = 15


class ChildFailed(RuntimeError):
    """A child died or did not become ready in time; the message ends with the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run: `stop_signal` asks for a clean stop, `death_signal` comes from the kernel when the launcher dies."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    grace_seconds: float = 10.0


class Child:
    """One running program.

    Start it from a thread that lives as long as the child should: Linux sends the death signal when the *thread* that
    forked it ends, not only when the process does.
    """

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if program.env is None else dict(program.env),
                cwd=program.cwd,
                user=program.user,
                group=program.user,
                extra_groups=[] if program.user else None,
                process_group=0,
                # runs after the change of user, which would clear the death signal
                preexec_fn=_die_with(os.getpid(), program.death_signal),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """What this child (not an earlier one with the same log file) has written so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def wait_until(self, ready: Callable[["Child"], bool], timeout: float = 30.0) -> None:
        """Return once `ready(self)`; raise ChildFailed if the child exits or `timeout` seconds pass first."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.returncode
            if status is not None:
                raise ChildFailed(self._report(f"exited with status {status} before it was ready"))
            if ready(self):
                return
            if time.monotonic() > deadline:
                raise ChildFailed(self._report(f"was not ready after {timeout:g} s"))
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise ChildFailed if the child has exited."""
        if self.returncode is not None:
            raise ChildFailed(self._report(f"exited with status {self.returncode}"))

    def stop(self) -> None:
        """Ask it to stop, wait for `grace_seconds`, then kill it; nothing of its process group is left."""
        if self.returncode is None:
            self._process.send_signal(self.program.stop_signal)
            try:
                self._process.wait(self.program.grace_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self._kill_group()

    def kill(self) -> None:
        """SIGKILL to the child and to everything it started: the crash of a machine, as the program sees it."""
        started_by_it = descendants(self.pid)
        if self.returncode is None:
            self._process.kill()
        for process in started_by_it:
            _kill(process)
        self._process.wait()
        while any(map(_is_alive, started_by_it)):
            time.sleep(_POLL_SECONDS)
        self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _report(self, what: str) -> str:
        tail = self.output().splitlines()[-_TAIL_LINES:]
        lines = [f"{self.program.name} {what}; the end of {self.log}:", *(f"  | {line}" for line in tail)]
        return "\n".join(lines) if tail else f"{self.program.name} {what} and wrote nothing to {self.log}"


def descendants(pid: int) -> list[psutil.Process]:
    """The processes that this one started, and theirs; empty when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _is_alive(process: psutil.Process) -> bool:
    # a zombie waits for its new parent, which may take its time, but holds nothing any more
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _die_with(launcher: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec so that it dies with its launcher; Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def between_fork_and_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != launcher:  # it died before the line above
            os._exit(1)

    return between_fork_and_exec
