"""One run: a world, its trade and its faults by the seed's schedule, quiet until all has drained, then the checker."""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable

from tests.faults.checker import Verdict, check, undone
from tests.faults.faults import Faults
from tests.faults.schedule import Step, schedule
from tests.faults.trade import Ledger, Trade
from tests.faults.world import World

# Generous: what drains at all drains in a tenth of it. What takes minutes (a dead token kept) is a violation.
_DRAINS_WITHIN = 150.0
_TRADE = ("order", "change", "attest", "withdraw")

Say = Callable[[str], None]


def run(seed: int, seconds: float, say: Say) -> Verdict:
    """The verdict of one seed; of a run with violations the state and the logs stay, and the last line says where."""
    # It would tell a hundred times that the broker is away, which we stop ourselves.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    world = World()
    verdict = Verdict(violations=["the run did not come to its end"])
    try:
        world.start()
        verdict, ledger = asyncio.run(_play(world, seed, seconds, say))
        _tell(verdict, ledger, say)
    finally:
        world.stop()
        if verdict.violations:
            say(f"logs and state are in {world.stack.state_dir}")
        else:
            shutil.rmtree(world.stack.state_dir, ignore_errors=True)
    return verdict


async def _play(world: World, seed: int, seconds: float, say_line: Say) -> tuple[Verdict, Ledger]:
    began = time.monotonic()

    def say(line: str) -> None:
        say_line(f"{time.monotonic() - began:6.1f} s  {line}")

    trade = Trade(world, seed, say)
    faults = Faults(world, trade, seed)
    steps = schedule(seed, seconds)
    try:
        await trade.open()
        await faults.begin()
        began = time.monotonic()
        say(f"seed {seed}: {len(steps)} steps in {seconds:.0f} s")
        tracks = (
            [step for step in steps if step.action in _TRADE],
            [step for step in steps if step.action not in _TRADE and step.facts["service"] != "compliance"],
            [step for step in steps if step.action not in _TRADE and step.facts["service"] == "compliance"],
        )
        await asyncio.gather(
            _trade(trade, tracks[0], began), *(_faults(faults, track, began, say) for track in tracks[1:])
        )
        await faults.end()
        say("the faults have ended")
        drained_from = time.monotonic()
        try:
            async with asyncio.timeout(_DRAINS_WITHIN):
                await trade.settled()
                await trade.switch_on()
                left = await undone(world, trade.amazon, trade.ledger)
                while left:
                    await asyncio.sleep(0.5)
                    left = await undone(world, trade.amazon, trade.ledger)
        except TimeoutError:
            left = await undone(world, trade.amazon, trade.ledger)
        trade.ledger.recovery["all faults over, everything drained"] = time.monotonic() - drained_from
        verdict = await check(world, trade.amazon, trade.ledger)
        verdict.expect(left, f"not drained after {_DRAINS_WITHIN:.0f} s")
        return verdict, trade.ledger
    finally:
        await trade.close()


async def _trade(trade: Trade, steps: list[Step], began: float) -> None:
    for step in steps:
        await asyncio.sleep(began + step.second - time.monotonic())
        trade.play(step)


async def _faults(faults: Faults, steps: list[Step], began: float, say: Say) -> None:
    """One after another; one that takes longer delays the next, it changes nothing of it."""
    for step in steps:
        await asyncio.sleep(began + step.second - time.monotonic())
        say(f"{step.action} {step.facts['service'] if step.action in ('kill', 'freeze') else ''}")
        await faults.play(step)


def _tell(verdict: Verdict, ledger: Ledger, say: Say) -> None:
    say("recovery: " + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in ledger.recovery.items()))
    say("looked at: " + ", ".join(f"{what} {count}" for what, count in verdict.facts.items()))
    for violation in verdict.violations:
        say(f"VIOLATION: {violation}")
    say("verdict: " + (f"{len(verdict.violations)} violations" if verdict.violations else "all invariants hold"))
