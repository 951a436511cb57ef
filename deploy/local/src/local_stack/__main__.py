"""`python -m local_stack up` runs the stack, `python -m local_stack kafka` Apache Kafka; both until Ctrl-C."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from local_stack.apache_kafka import ApacheKafka, KafkaUnavailable
from local_stack.demo.running import new_stack, play
from local_stack.processes import ChildFailed
from local_stack.services import PORTS, SERVICES, developer_key, where_to_go
from local_stack.stack import INFRASTRUCTURE, Stack, StackBusy, open_state, start_stack
from local_stack.supervisor import Supervisor

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False, soft_wrap=True)
State = Annotated[Path, typer.Option(envvar="ENTREPOT_STATE", help="Where data, logs and the lock live.")]


@app.command()
def up(state: State = Path(".run")) -> None:
    """PostgreSQL, a broker and all that stands on them. DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS replace ours."""
    began = time.monotonic()
    stack = Stack(state.absolute(), dict(os.environ), preferred_ports=PORTS)

    def started(name: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {name:<12} {stack.addresses.get(name, '')}")

    with foreground(state, stack.supervisor):
        start_stack((*INFRASTRUCTURE, *SERVICES), stack, started)
        for line in where_to_go(stack, developer_key(stack)):
            console.print(f"          {line}", markup=False)
        memory = stack.supervisor.memory()
        console.print(f"ready, {memory.physical / 2**20:.0f} MiB resident; logs in {stack.log_dir}; Ctrl-C stops it")
        stack.supervisor.wait()


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write the counts and proofs to this file.")] = None,
) -> None:
    """The main job end to end on a fresh stack: exits 0 when every step saw its proof."""
    stack = new_stack()
    with foreground(stack.state_dir, stack.supervisor):
        if not play(stack, console, json, stack.supervisor.wait if keep else None):
            raise typer.Exit(1)


@app.command()
def kafka(
    state: State = Path(".run"),
    port: Annotated[int, typer.Option(help="The port clients use; 0 takes a free one.")] = 9092,
) -> None:
    """One Apache Kafka node (KRaft) on Java 17, fetched with Maven the first time."""
    directory = state.absolute() / "apache-kafka"
    supervisor = Supervisor()
    server = ApacheKafka(directory / "data", port, log=directory / "kafka.log")
    with foreground(directory, supervisor):
        supervisor.start(server)
        console.print(f"ready: KAFKA_BOOTSTRAP_SERVERS={server.bootstrap_servers}; log {server.log}; Ctrl-C stops it")
        supervisor.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Not the default handler: asyncio.run replaces that one by a cancellation, which libraries can lose."""
    raise KeyboardInterrupt


@contextmanager
def foreground(state: Path, supervisor: Supervisor) -> Iterator[None]:
    """Hold the state directory, stop everything on Ctrl-C or SIGTERM, and say in one line what went wrong."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        open_state(state.absolute())
        with supervisor:
            yield
    except KeyboardInterrupt:
        console.print("stopped")
    except (ChildFailed, KafkaUnavailable, StackBusy) as error:
        console.print(str(error), markup=False, style="red")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
