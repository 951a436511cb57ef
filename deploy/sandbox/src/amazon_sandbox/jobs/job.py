"""One feed or report on its way: IN_QUEUE, IN_PROGRESS, then DONE, FATAL or CANCELLED."""

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from amazon_sandbox.clock import DAY_MS, SECOND_MS, iso

if TYPE_CHECKING:
    from amazon_sandbox.settings import Settings
    from amazon_sandbox.world import Seller, World

IN_QUEUE = "IN_QUEUE"
IN_PROGRESS = "IN_PROGRESS"
DONE = "DONE"
FATAL = "FATAL"
CANCELLED = "CANCELLED"
STATUSES = (CANCELLED, DONE, FATAL, IN_PROGRESS, IN_QUEUE)

KEPT_MS = 90 * DAY_MS


class Fate(msgspec.Struct, frozen=True):
    """What a dial has in store for the next `count` jobs of `kind` (any kind when None).

    stick: it stays in that status until it is released, and those behind it wait (PAINS 7).
    processing_s: how long it is IN_PROGRESS, in place of the setting.
    end: it ends so, whatever is in it; a feed that is FATAL has done nothing, or its first `fatal_after` messages.
    fail_every: each n-th message of a feed is refused. fail_skus: messages for these SKUs are.
    """

    kind: str | None = None
    count: int = 1
    stick: Literal["IN_QUEUE", "IN_PROGRESS"] | None = None
    processing_s: float | None = None
    end: Literal["FATAL", "CANCELLED"] | None = None
    fatal_after: int | None = None
    fail_every: int | None = None
    fail_skus: tuple[str, ...] = ()

    def refuses_message(self, position: int, sku: str) -> bool:
        """`position` counts from 1."""
        return sku in self.fail_skus or (self.fail_every is not None and position % self.fail_every == 0)


NOTHING_SPECIAL = Fate()


class Job(msgspec.Struct, eq=False):
    """Times are milliseconds of the sandbox clock. `kind` is the feedType or reportType."""

    job_id: str
    kind: str
    marketplace_ids: tuple[str, ...]
    created_ms: int
    options: dict[str, str] = {}
    status: str = IN_QUEUE
    started_ms: int | None = None
    ended_ms: int | None = None
    document_id: str | None = None
    ready_ms: int = 0  # until then it is queued in any case
    stuck: bool = False
    overdue: bool = False  # it would have ended, were it not stuck
    fate: Fate = NOTHING_SPECIAL

    @property
    def is_over(self) -> bool:
        return self.status in (DONE, FATAL, CANCELLED)

    def delays_s(self, settings: "Settings") -> tuple[float, float]:
        """Seconds in the queue at least, and seconds of processing."""
        raise NotImplementedError

    def process(self, world: "World", seller: "Seller", at_ms: int) -> None:
        """Does the work as of `at_ms`: sets the status, and the document if there is one."""
        raise NotImplementedError

    def announce(self, world: "World", seller: "Seller") -> None:
        """Tells whoever subscribed that the job is over."""
        raise NotImplementedError

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        raise NotImplementedError

    def processing_ms(self, settings: "Settings") -> int:
        seconds = self.fate.processing_s if self.fate.processing_s is not None else self.delays_s(settings)[1]
        return round(seconds * SECOND_MS)

    def times(self) -> dict[str, Any]:
        """The part of the model's `Feed` and `Report` that is the same."""
        document: dict[str, Any] = {
            "marketplaceIds": self.marketplace_ids,
            "createdTime": iso(self.created_ms),
            "processingStatus": self.status,
        }
        if self.started_ms is not None:
            document["processingStartTime"] = iso(self.started_ms)
        if self.ended_ms is not None:
            document["processingEndTime"] = iso(self.ended_ms)
        return document
