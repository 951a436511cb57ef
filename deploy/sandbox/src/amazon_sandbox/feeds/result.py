"""What a feed's processor is given, and what it gives back."""

from typing import TYPE_CHECKING, NamedTuple

from amazon_sandbox.jobs.job import Fate

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World

MOST_BYTES = 10 * 2**20  # FACTS 6.5


class Feeding(NamedTuple):
    """One feed whose turn it is; `at_ms` is the moment it ends."""

    world: "World"
    seller: "Seller"
    feed_id: str
    feed_type: str
    marketplace_ids: tuple[str, ...]
    fate: Fate
    at_ms: int

    def is_cut_off(self, handled: int) -> bool:
        """Whether a dial ends the feed FATAL after so many messages (FACTS 6.2: it may be partly applied)."""
        return self.fate.fatal_after is not None and handled >= self.fate.fatal_after


class Result(NamedTuple):
    """The processing report; DONE says nothing about the messages (FACTS 6.2)."""

    status: str
    content: bytes
    content_type: str


class FileProblem(Exception):
    """The submitted document as a whole cannot be read: the feed is FATAL, and its report says why."""
