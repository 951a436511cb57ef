"""`make mutants`: changes that a test must notice. First those of `mutants/planted.toml`, one by one in a copy of the
tree; then a mutation of every expression of the pure rules (`mutate.py`). Fails when one goes unnoticed.

    mutants.py [--only WORD] [--skip-rules | --skip-planted] [--jobs N]"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import mutate

from local_stack.testing import start_test_servers

ROOT = Path(__file__).parent.parent
PLANTED = ROOT / "mutants" / "planted.toml"
SOURCES = ("libs/common/src", *(f"services/{name}/src" for name in ("auth", "listings", "orders", "compliance")))
_GIT = shutil.which("git") or "git"
_LONGEST = 900  # seconds for one plant's tests: a hang is noticed too


@dataclass(frozen=True, slots=True)
class Plant:
    """A careless change: in `file`, `old` (which stands there once) becomes `new`, and one of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]

    def stale(self, root: Path) -> str | None:
        """Why it cannot be planted any more."""
        path = root / self.file
        if not path.exists():
            return f"{self.file} is gone"
        found = path.read_text().count(self.old)
        if found != 1:
            return f"its old text stands {found} times in {self.file}: write it anew"
        gone = [test for test in self.tests if not _exists(root, test)]
        return f"no such test: {', '.join(gone)}" if gone else None


def _exists(root: Path, test: str) -> bool:
    path, _, name = test.partition("::")
    return (root / path).exists() and (not name or f"def {name}(" in (root / path).read_text())


def plants(only: str | None) -> list[Plant]:
    """Those of the list whose name or file has the word."""
    listed = [Plant(**entry) for entry in tomllib.loads(PLANTED.read_text())["plant"]]
    return [plant for plant in listed if not only or only in plant.name or only in plant.file]


def try_planted(chosen: list[Plant], jobs: int) -> list[str]:
    """Plants each, runs its tests, prints what became of it; answers what is wrong."""
    wrong = [f"stale: {plant.name}: {why}" for plant in chosen if (why := plant.stale(ROOT))]
    if wrong:
        return wrong
    servers = start_test_servers()
    try:
        with tempfile.TemporaryDirectory(prefix="mutants-") as place:
            trees: SimpleQueue[Path] = SimpleQueue()
            for number in range(jobs):
                trees.put(_copy(Path(place) / str(number)))

            def attempt(plant: Plant | None, tests: list[str]) -> str:
                tree = trees.get()
                try:
                    return _run(tree, plant, tests, servers.environment)
                finally:
                    trees.put(tree)

            whole = sorted({test for plant in chosen for test in plant.tests})
            if (before := attempt(None, whole)) != "survived":
                return [f"without any plant the tests must pass, but: {before}"]
            with ThreadPoolExecutor(jobs) as pool:
                for plant, outcome in zip(
                    chosen, pool.map(lambda plant: attempt(plant, plant.tests), chosen), strict=True
                ):
                    print(f"{outcome:10} {plant.name}", flush=True)
                    if outcome != "caught":
                        wrong.append(f"{outcome}: {plant.name} ({plant.file})")
    finally:
        servers.stop()
    return wrong


def _copy(tree: Path) -> Path:
    listed = subprocess.run(  # noqa: S603 - git itself
        [_GIT, "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    return tree


def _run(tree: Path, plant: Plant | None, tests: list[str], servers: dict[str, str]) -> str:
    path, before = (tree / plant.file, (tree / plant.file).read_text()) if plant else (None, "")
    if path and plant:
        path.write_text(before.replace(plant.old, plant.new))
    temporary = tree.with_name(tree.name + "-tmp")
    temporary.mkdir(exist_ok=True)
    environment = (
        os.environ
        | servers
        | {
            "PYTHONPATH": os.pathsep.join(str(tree / source) for source in SOURCES),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DEBUG_TEMPROOT": str(temporary),
        }
    )
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:schemathesis", *tests]
    # Into a file and in a session of its own: a process that a test left behind would hold a pipe open for ever.
    said = temporary / "said"
    try:
        with said.open("wb") as output:
            running = subprocess.Popen(  # noqa: S603 - our own tests
                command, cwd=tree, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                code = running.wait(_LONGEST)
            except subprocess.TimeoutExpired:
                return "caught"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
    finally:
        if path:
            path.write_text(before)
    if code == 0:
        return "survived"
    if code == 1 and plant is not None:
        return "caught"
    return f"broken ({code}): {said.read_text(errors='replace')[-1500:]}"


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--only", help="plants and rules whose name or file has this word")
    reader.add_argument("--skip-rules", action="store_true")
    reader.add_argument("--skip-planted", action="store_true")
    reader.add_argument("--jobs", type=int, default=2)
    asked = reader.parse_args()
    began, wrong = time.monotonic(), []
    chosen = [] if asked.skip_planted else plants(asked.only)
    if chosen:
        wrong += try_planted(chosen, asked.jobs)
    if not asked.skip_rules:
        wrong += mutate.try_rules(asked.only, asked.jobs)
    print(f"{len(chosen)} planted; {time.monotonic() - began:.0f} s")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
