"""How the demo speaks: a line per step with its time and proof, a table of counts at the end, JSON for machines."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local_stack.demo.hands import StepFailed

Step = Callable[[], Awaitable[str]]


@dataclass
class Report:
    """The steps as they pass, and what was counted at Amazon and on Kafka."""

    console: Console
    steps: int
    counts: dict[str, int] = field(default_factory=dict)
    proofs: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    passed: int = 0

    async def step(self, title: str, run: Step) -> None:
        """Runs a step and prints its proof; its failure is printed and raised."""
        started = time.monotonic()
        number = f"{self.passed + 1:2}/{self.steps}"
        with self.console.status(f"{number} {title}"):
            try:
                proof = await run()
            except StepFailed as error:
                self.console.print(f"[red]{number} {title}[/red]: {error}", markup=True)
                raise
        seconds = time.monotonic() - started
        self.passed += 1
        self.proofs.append({"step": title, "seconds": round(seconds, 2), "proof": proof})
        self.console.print(f"[green]{number}[/green] {seconds:5.1f} s  [bold]{title}[/bold]\n             {proof}")

    def table(self) -> None:
        table = Table("counted at Amazon and on Kafka", "", title_justify="left", show_header=True)
        for name, count in self.counts.items():
            table.add_row(name.replace("_", " "), str(count))
        self.console.print(table)

    def write(self, path: Path) -> None:
        """The counts and proofs as JSON."""
        document = {
            "counts": self.counts,
            "steps": self.proofs,
            "passed": self.passed,
            "of": self.steps,
            "seconds": round(time.monotonic() - self.began, 1),
        }
        path.write_text(json.dumps(document, indent=2) + "\n")
