"""`make bench`: runs every bench on throw-away servers, prints one table and writes bench/results/<date>.json."""

import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from common.testing.databases import Databases
from local_stack.testing import start_test_servers

# Module, and the package whose database it needs; P1, P3, P5, P6, P7, P14, routing, E1, and the whole pipeline.
BENCHES = (
    ("client", "common"),
    ("orders_import", "orders_service"),
    ("outbox", "common"),
    ("http_get", "listings_service"),
    ("auth", "auth_service"),
    ("routing", "compliance_service"),
    ("local_amazon", "common"),
    ("pipeline", "common"),
)
RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]
Run = Callable[[str], Awaitable[list[Row]]]


async def measure(chosen: set[str], console: Console) -> list[Row]:
    """The rows of the chosen benches, one after another: they must not share the cores."""
    databases = Databases(os.environ["DATABASE_URL"])
    rows: list[Row] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for name, package in BENCHES:
            if chosen and name not in chosen:
                continue
            task = progress.add_task(name, total=None)
            url = await databases.new(package)
            run: Run = import_module(f"bench.{name}").run
            try:
                rows += await run(url)
            except Exception as error:  # the others' figures are still worth having
                failed = {"goal": name, "what": f"failed: {type(error).__name__}: {error}", "met": False}
                rows.append(dict.fromkeys(("value", "ceiling", "ratio", "target")) | failed | {"failed": True})
            await databases.drop(url)
            progress.update(task, total=1, completed=1)
    await databases.close()
    return rows


def show(rows: list[Row], console: Console) -> None:
    table = Table(
        "goal", "what", "value", "ceiling", "ratio", "target", "met", title="ratios of one run", title_justify="left"
    )
    for row in rows:
        table.add_row(
            str(row["goal"]),
            str(row["what"]),
            _figure(row["value"]),
            _figure(row["ceiling"]),
            _figure(row["ratio"]),
            str(row["target"] or ""),
            {True: "yes", False: "not yet", None: ""}[row["met"]],
        )
    console.print(table)


def _figure(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value or "")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)
    servers = start_test_servers("apache" if os.environ.get("ENTREPOT_KAFKA") == "apache" else "embedded")
    os.environ.update(servers.environment)
    try:
        rows = uvloop.run(measure(set(sys.argv[1:]), console))
    finally:
        servers.stop()
    show(rows, console)
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    written = RESULTS / f"{now:%Y-%m-%d}.json"
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    written.write_text(json.dumps({"at": now.isoformat(), "machine": machine, "rows": rows}, indent=2) + "\n")
    console.print(f"written to {written.relative_to(Path.cwd())}")
    if any(row.get("failed") for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
