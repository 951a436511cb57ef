"""`make rows`: what proves what. Each mission row, edge case, fault and fact with the tests that cite it."""

import contextlib
import io
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

KINDS = {
    "row": "Mission rows",
    "edge": "Edge cases",
    "fault": "Fault matrix",
    "fact": "Facts about Amazon",
    "pain": "Integrators' pains",
}
ROWS = [
    f"{group}{number}"
    for group, count in (("A", 10), ("B", 18), ("C", 12), ("D", 7), ("E", 6))
    for number in range(1, count + 1)
]


class Collect:
    """A pytest plugin that reads the markers of every collected test."""

    def __init__(self) -> None:
        self.cited: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for kind in KINDS:
                for mark in item.iter_markers(kind):
                    for cited in mark.args:
                        tests = self.cited[kind][str(cited)]
                        name = item.nodeid.split("[")[0]
                        if name not in tests:
                            tests.append(name)


def natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def main() -> int:
    collected = Collect()
    silent = io.StringIO()
    with contextlib.redirect_stdout(silent):
        code = pytest.main(["--collect-only", "-q", "-p", "no:xdist", "-p", "no:syrupy"], plugins=[collected])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.stdout.write(silent.getvalue())
        return 1
    console = Console(width=160 if not sys.stdout.isatty() else None)
    for kind, title in KINDS.items():
        table = Table("id", "tests", title=title, title_justify="left", show_lines=False)
        cited = collected.cited[kind]
        for name in sorted(cited, key=natural):
            tests = [f"{Path(test.split('::')[0]).stem}::{test.split('::')[1]}" for test in cited[name]]
            table.add_row(name, "\n".join(tests))
        console.print(table)
    missing = [row for row in ROWS if row not in collected.cited["row"]]
    console.print(
        f"mission rows with a test: {len(ROWS) - len(missing)} of {len(ROWS)}; without: {' '.join(missing) or 'none'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
