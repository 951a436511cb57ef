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
    "pain": "Pains of integrators",
}
ROWS = [
    f"{group}{number}"
    for group, count in (("A", 10), ("B", 18), ("C", 12), ("D", 7), ("E", 6))
    for number in range(1, count + 1)
]
SECTIONS = range(2, 10)  # of FACTS.md


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


def provable_facts() -> list[str]:
    """The numbered facts of FACTS.md beside the checkout that have a source; empty when the file is absent.

    A fact whose sources are all [K] is remembered, not read: nothing is built on it.
    """
    files = (parent / "shared" / "sp-api" / "FACTS.md" for parent in Path(__file__).resolve().parents)
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return []
    facts = re.findall(r"^- \*\*((\d+)\.\d+(?:\.\d+)?)\*\*(.*)$", found.read_text(), re.MULTILINE)
    return [
        number
        for number, section, text in facts
        if int(section) in SECTIONS and not text.rstrip().rstrip(".").endswith("[K]")
    ]


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
    facts = provable_facts()
    if facts:
        uncovered = [fact for fact in facts if fact not in collected.cited["fact"]]
        covered = f"{len(facts) - len(uncovered)} of {len(facts)}; without: {' '.join(uncovered) or 'none'}"
        console.print(f"facts of sections {SECTIONS[0]}-{SECTIONS[-1]} that are not [K] with a test: {covered}")
    missing = [row for row in ROWS if row not in collected.cited["row"]]
    console.print(
        f"mission rows with a test: {len(ROWS) - len(missing)} of {len(ROWS)}; without: {' '.join(missing) or 'none'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
