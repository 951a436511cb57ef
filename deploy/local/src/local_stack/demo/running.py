"""Starts a fresh stack for the demo, tells the story over it, says what it cost, and stops it without a trace."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from local_stack.apache_kafka import ApacheKafka
from local_stack.demo.foreign import ForeignSystem
from local_stack.demo.hands import Amazon, Merchant
from local_stack.demo.report import Report
from local_stack.demo.story import STEPS, Story
from local_stack.services import SERVICES, create_account, where_to_go
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack
from local_stack.supervisor import Memory, memory_of

# Our services poll as often as is sensible for a person who watches.
SHORT_DELAYS = {
    "SYNC_EVERY_SECONDS": "1",
    "READ_BACK_DELAYS": "0.3,0.5,1,2,5,10",
    "GET_ORDERS_EVERY_SECONDS": "3600",
    "SYNC_ORDERS_EVERY_SECONDS": "1",
    "CONFIRM_READ_BACK_DELAYS": "0.3,0.5,1,2,5,10",
}
# Amazon's minutes become tenths of a second; its quotas stay on, ten times as generous.
LOCAL_AMAZON = {
    "listing_delay_s": 0.2,
    "shipment_delay_s": 0.2,
    "search_lag_s": 0,
    "quotas": {"enabled": True, "scale": 10},
    "auto_consent": True,
}
READ_TOPICS = ("entrepot.connections", "entrepot.listings", "entrepot.orders", "entrepot.compliance")
MEMORY_BOUND = 1.2 * 2**30


def new_stack() -> Stack:
    """A stack of its own in a temporary directory, beside whatever runs already."""
    state = Path(tempfile.mkdtemp(prefix="entrepot-demo-"))
    return Stack(state, dict(os.environ), overrides=SHORT_DELAYS)


def play(stack: Stack, console: Console, json_path: Path | None, keep: Callable[[], None] | None) -> bool:
    """The whole demo; whether every step passed. The caller stops the stack's supervisor."""
    began = time.monotonic()
    passed = tidy = False
    report = Report(console, steps=len(STEPS), began=began)
    try:
        with console.status("starting PostgreSQL, a broker, the local Amazon and four services"):
            start_stack((*INFRASTRUCTURE, *SERVICES), stack, lambda _: None)
        console.print(f"[green]ready[/green] {time.monotonic() - began:4.1f} s  everything serves")
        account = create_account(stack, "Demo merchant")
        failure = asyncio.run(tell(stack, report, account))
        memory = _memory(stack)
        report.counts["resident_mib"] = memory.physical // 2**20
        report.table()
        within = "within" if memory.physical <= MEMORY_BOUND else "OVER"
        console.print(
            f"{memory.physical / 2**20:.0f} MiB resident in all processes, {within} the bound of 1229 MiB "
            f"({memory.resident / 2**20:.0f} with shared pages counted once in each of them)"
        )
        for line in where_to_go(stack, account["key"]):
            console.print(f"  {line}", markup=False)
        if json_path:
            report.write(json_path)
        passed = tidy = not failure and memory.physical <= MEMORY_BOUND
        if keep and not failure:
            console.print("KEEP=1: it keeps running; Ctrl-C stops everything")
            keep()
    except KeyboardInterrupt:
        tidy = True
        raise
    finally:
        stack.supervisor.stop()
        if tidy:  # of a demo that failed the logs stay
            shutil.rmtree(stack.state_dir, ignore_errors=True)
    console.print(f"demo: {report.passed} of {report.steps} steps passed in {time.monotonic() - began:.0f} s")
    return passed


def _memory(stack: Stack) -> Memory:
    """Of this process and all it started; the JVM of Apache Kafka, which stands outside, left out."""
    outside = [server.child.pid for server in stack.supervisor.servers.values() if isinstance(server, ApacheKafka)]
    return memory_of([os.getpid()]) - memory_of(outside)


async def tell(stack: Stack, report: Report, account: Mapping[str, str], story: type[Story] = Story) -> bool:
    """Tells the story of `account` over a started stack; whether it failed."""
    merchant = Merchant(stack.addresses, account["key"])
    amazon = Amazon(stack.addresses["sandbox"])
    other = ForeignSystem(stack.environment["KAFKA_BOOTSTRAP_SERVERS"], READ_TOPICS)
    await other.start()
    try:
        await amazon.dial("PUT", "/settings", LOCAL_AMAZON)
        await merchant.sign_in()
        await story(merchant, amazon, other, account["account_id"], report).run()
    except Exception as error:
        report.console.print(f"[red]stopped[/red]: {type(error).__name__}: {error}; logs in {stack.log_dir}")
        return True
    finally:
        await other.stop()
        await merchant.close()
        await amazon.close()
    return False
