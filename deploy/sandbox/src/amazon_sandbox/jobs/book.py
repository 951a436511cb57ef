"""The feeds, or the reports, of one seller: of each kind one is processed at a time, the others wait (FACTS 6.3)."""

import logging
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from amazon_sandbox.clock import SECOND_MS
from amazon_sandbox.jobs.job import CANCELLED, FATAL, IN_PROGRESS, IN_QUEUE, NOTHING_SPECIAL, Fate, Job

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World

_log = logging.getLogger(__name__)


class CallNext(NamedTuple):
    """The next job of a kind may be due."""

    book: "JobBook"
    seller: "Seller"
    kind: str
    at_ms: int

    def take_place(self, world: "World") -> None:
        self.book.call_next(world, self.seller, self.kind, self.at_ms)


class End(NamedTuple):
    """A job has been processed."""

    book: "JobBook"
    seller: "Seller"
    job: Job
    at_ms: int

    def take_place(self, world: "World") -> None:
        self.book.end(world, self.seller, self.job, self.at_ms)


class JobBook:
    """What happens later is put on the world's agenda with the moment it belongs to.

    A clock that jumps ahead therefore finds every start and end where it would have been.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.fates: list[Fate] = []
        self._waiting: dict[str, list[Job]] = {}
        self._running: dict[str, Job] = {}

    def submit(self, world: "World", seller: "Seller", job: Job) -> None:
        job.fate = self._next_fate(job.kind)
        job.stuck = job.fate.stick == IN_QUEUE
        job.ready_ms = job.created_ms + round(job.delays_s(world.settings)[0] * SECOND_MS)
        self.jobs[job.job_id] = job
        self._waiting.setdefault(job.kind, []).append(job)
        world.at(job.ready_ms, CallNext(self, seller, job.kind, job.ready_ms))

    def cancel(self, world: "World", seller: "Seller", job: Job) -> None:
        """Of a job that is still IN_QUEUE."""
        now_ms = world.clock.now_ms()
        self._waiting[job.kind].remove(job)
        job.status, job.ended_ms = CANCELLED, now_ms
        self.call_next(world, seller, job.kind, now_ms)
        job.announce(world, seller)

    def release(self, world: "World", seller: "Seller", job: Job) -> None:
        """A stuck job goes on."""
        job.stuck = False
        now_ms = world.clock.now_ms()
        if job.status == IN_QUEUE:
            self.call_next(world, seller, job.kind, now_ms)
        elif job.overdue:
            self.end(world, seller, job, now_ms)

    def _next_fate(self, kind: str) -> Fate:
        for position, fate in enumerate(self.fates):
            if fate.kind in (None, kind):
                left = [msgspec.structs.replace(fate, count=fate.count - 1)] if fate.count > 1 else []
                self.fates[position : position + 1] = left
                return fate
        return NOTHING_SPECIAL

    def call_next(self, world: "World", seller: "Seller", kind: str, at_ms: int) -> None:
        waiting = self._waiting.get(kind)
        if kind in self._running or not waiting or waiting[0].stuck or waiting[0].ready_ms > at_ms:
            return
        job = self._running[kind] = waiting.pop(0)
        job.status, job.started_ms = IN_PROGRESS, at_ms
        job.stuck = job.fate.stick == IN_PROGRESS
        due_ms = at_ms + job.processing_ms(world.settings)
        world.at(due_ms, End(self, seller, job, due_ms))

    def end(self, world: "World", seller: "Seller", job: Job, at_ms: int) -> None:
        if job.stuck:
            job.overdue = True
            return
        try:
            job.process(world, seller, at_ms)
        except Exception:
            # Whoever calls next settles the world and is not to blame; a fault of ours ends this job and no other.
            _log.exception("%s %s could not be processed", job.kind, job.job_id)
            job.status = FATAL
        finally:
            job.ended_ms = at_ms
            del self._running[job.kind]
            # By way of the agenda: a long queue must not become a deep recursion.
            world.at(at_ms, CallNext(self, seller, job.kind, at_ms))
        job.announce(world, seller)
