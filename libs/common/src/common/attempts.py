"""Pure: when an item that failed is tried again, and when it has had its tries and waits for a person."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self


class Patience:
    """How long an item that fails is waited for: a pause after each failure, and as many tries again as pauses."""

    def __init__(self, pauses: Iterable[timedelta]) -> None:
        self.pauses = tuple(pauses)
        if not self.pauses:
            raise ValueError("without a pause nothing is ever tried again")

    @classmethod
    def growing(cls, first: timedelta, longest: timedelta, tries: int, *, at_once: bool = False) -> Self:
        """`tries` pauses, each twice the one before it up to `longest`; `at_once` puts one of no length before them."""
        grown = [min(first * 2**number, longest) for number in range(tries)]
        return cls([timedelta(0), *grown] if at_once else grown)

    def next_attempt(self, failures: int, now: datetime) -> datetime | None:
        """When an item that failed so many times in a row (at least once) is due; None when it is to be parked."""
        return now + self.pauses[failures - 1] if failures <= len(self.pauses) else None
