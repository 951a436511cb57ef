"""The stack as data: what starts, on which port, after what. `start_stack` starts it wave by wave."""

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from local_stack.apache_kafka import ApacheKafka
from local_stack.broker import Broker
from local_stack.ports import free_port
from local_stack.postgres import PostgresServer
from local_stack.supervisor import Server, Supervisor


class StackBusy(RuntimeError):
    """Another launcher uses the same state directory."""


@dataclass
class Stack:
    """What is known while the stack starts: where state lives, the ports, the environment handed to each service.

    `preferred_ports` are taken when they are free; `overrides` go to every service's environment.
    """

    state_dir: Path
    environment: dict[str, str]
    preferred_ports: dict[str, int] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    supervisor: Supervisor = field(default_factory=Supervisor)

    @property
    def log_dir(self) -> Path:
        return self.state_dir / "logs"


@dataclass(frozen=True, kw_only=True)
class Component:
    """One line of the stack.

    `build` runs once everything in `after` is ready. It returns the server to start, or None when there is nothing to
    start: because the work is done (a migration), or because the environment names a server that runs elsewhere.
    """

    name: str
    build: Callable[[Stack, int], Server | None]
    after: tuple[str, ...] = ()
    port: int = 0  # 0: any free one


def start_stack(components: Sequence[Component], stack: Stack, started: Callable[[str], None]) -> None:
    """Start all components, those that do not wait for each other at the same time; `started(name)` as each is ready.

    ChildFailed from the first that fails; the caller stops `stack.supervisor` in any case. An `after` that names no
    component is a ValueError, a circle a graphlib.CycleError.
    """
    by_name = {component.name: component for component in components}
    for component in components:
        unknown = set(component.after) - set(by_name)
        if unknown:
            raise ValueError(f"{component.name} starts after {', '.join(sorted(unknown))}, which is not in the stack")
    order = TopologicalSorter({component.name: component.after for component in components})
    order.prepare()
    while order.is_active():
        wave = order.get_ready()
        servers: list[Server] = []
        for name in wave:
            port = stack.ports.setdefault(name, by_name[name].port or free_port())
            server = by_name[name].build(stack, port)
            if server is not None:
                servers.append(server)
        stack.supervisor.start(*servers)
        for name in wave:
            started(name)
            order.done(name)


def open_state(state_dir: Path) -> int:
    """Make the state directory and lock it for this process; the lock's descriptor. StackBusy when it is taken."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StackBusy(
            f"another stack runs on {state_dir}: stop it with Ctrl-C where it runs, or choose another --state"
        ) from None
    return lock


def _postgres(stack: Stack, port: int) -> Server | None:
    if "DATABASE_URL" in stack.environment:
        stack.addresses["postgres"] = "as DATABASE_URL says"
        return None
    server = PostgresServer(stack.state_dir / "postgres", port, log=stack.log_dir / "postgres.log")
    stack.environment["DATABASE_URL"] = stack.addresses["postgres"] = server.url()
    return server


def _broker(stack: Stack, port: int) -> Server | None:
    if "KAFKA_BOOTSTRAP_SERVERS" in stack.environment:
        stack.addresses["broker"] = "as KAFKA_BOOTSTRAP_SERVERS says"
        return None
    kind = ApacheKafka if stack.environment.get("ENTREPOT_KAFKA") == "apache" else Broker
    server = kind(stack.state_dir / "broker", port, log=stack.log_dir / "broker.log")
    stack.environment["KAFKA_BOOTSTRAP_SERVERS"] = stack.addresses["broker"] = server.bootstrap_servers
    return server


INFRASTRUCTURE = (
    Component(name="postgres", build=_postgres),
    Component(name="broker", build=_broker),
)
