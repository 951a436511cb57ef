"""Whether a loop moves: what `/readyz` tells of the relay and the consumer."""

from common import clock

# A loop that has not come round for so long stands still, whatever it waits for.
STILL_SECONDS = 30.0


class Pulse:
    """Beats each time that a loop has come round; a loop that may not run at all is `refused` and says what to do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.refused = ""
        self.still_after = STILL_SECONDS
        self._waits_for = ""
        self._beat_at = clock.elapsed()

    def beat(self) -> None:
        self._beat_at = clock.elapsed()
        self.refused = self._waits_for = ""

    def waits(self, reason: str) -> None:
        """It is about to try again after an error; the kind of the error is told when that lasts."""
        self._waits_for = reason

    def problem(self) -> str | None:
        """Why it does not move and since when; None while it does."""
        if self.refused:
            return self.refused
        still = clock.elapsed() - self._beat_at
        if still < self.still_after:
            return None
        reason = f" ({self._waits_for})" if self._waits_for else ""
        return f"the {self.name} has not moved for {still:.0f} s{reason}: see its last log lines"
