"""Servers that start in order, stop in reverse order, and are weighed together."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from local_stack.ports import answers
from local_stack.processes import Child, ChildFailed, Program, descendants

_WATCH_SECONDS = 0.25


class Server:
    """A program that can be started, stopped, killed and started again.

    A subclass says what to run (`program`, called at each start, so that it may prepare its data directory) and when it
    is ready.
    """

    start_seconds = 300.0

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._child: Child | None = None

    def program(self) -> Program:
        raise NotImplementedError

    def ready(self, child: Child) -> bool:
        raise NotImplementedError

    @property
    def child(self) -> Child:
        """The running process; RuntimeError before `start()` and after `stop()` or `kill()`."""
        if self._child is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._child

    def start(self) -> None:
        """Start and return once it is ready; ChildFailed with the log's end if it does not come up."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """The first half of `start()`, for those who start several at once."""
        if self._child is not None:
            raise RuntimeError(f"{self.name} is started already")
        self._child = Child(self.program(), self.log)

    def wait_until_ready(self) -> None:
        """The second half of `start()`; a server that does not come up is gone when ChildFailed is raised."""
        try:
            self.child.wait_until(self.ready, self.start_seconds)
        except ChildFailed:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop cleanly, data kept; nothing of it is left running. No effect when it is not started."""
        self._end(Child.stop)

    def kill(self) -> None:
        """SIGKILL to it and to all it started. No effect when it is not started."""
        self._end(Child.kill)

    def _end(self, how: Callable[[Child], None]) -> None:
        child, self._child = self._child, None
        if child is not None:
            how(child)


class Service(Server):
    """A server that needs no preparation: a fixed program, ready when GET `health_url` answers with a 2xx status."""

    def __init__(self, program: Program, health_url: str, log_dir: Path) -> None:
        super().__init__(program.name, log_dir / f"{program.name}.log")
        self.health_url = health_url
        self._program = program

    def program(self) -> Program:
        return self._program

    def ready(self, child: Child) -> bool:
        return answers(self.health_url)


class Supervisor:
    """The servers that run, by name, in the order of their start; a context manager that stops them all."""

    def __init__(self) -> None:
        self.servers: dict[str, Server] = {}

    def start(self, *servers: Server) -> None:
        """Start these at the same time and return once all are ready; ChildFailed from the first that is not."""
        for server in servers:
            self.servers[server.name] = server
            server.launch()
        for server in servers:
            server.wait_until_ready()

    def wait(self) -> None:
        """Block until one of them exits by itself, which raises ChildFailed."""
        while True:
            for server in self.servers.values():
                server.child.check()
            time.sleep(_WATCH_SECONDS)

    def memory(self) -> "Memory":
        """What all of them use now."""
        return memory_of(server.child.pid for server in self.servers.values())

    def stop(self) -> None:
        """Stop all, the last started first. May be called twice."""
        while self.servers:
            self.servers.popitem()[1].stop()

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Memory:
    """Bytes of physical memory of a set of processes.

    `resident` adds up what each one maps (RSS), so it counts a page once per process that shares it; `proportional`
    (PSS) counts each page once, and is None where the system does not tell.
    """

    resident: int
    proportional: int | None

    @property
    def physical(self) -> int:
        """Physical memory in use, as truly as the system tells it."""
        return self.resident if self.proportional is None else self.proportional

    def __sub__(self, other: "Memory") -> "Memory":
        known = self.proportional is not None and other.proportional is not None
        proportional = (self.proportional or 0) - (other.proportional or 0) if known else None
        return Memory(self.resident - other.resident, proportional)


def memory_of(pids: Iterable[int]) -> Memory:
    """The memory of these processes and of all their descendants."""
    resident, proportional = 0, 0
    pss_known = True
    for pid in pids:
        for process in [psutil.Process(pid), *descendants(pid)]:
            try:
                resident += process.memory_info().rss
                pss: int | None = getattr(process.memory_full_info(), "pss", None)
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied:
                pss = None
            pss_known = pss_known and pss is not None
            proportional += pss or 0
    return Memory(resident, proportional if pss_known else None)
