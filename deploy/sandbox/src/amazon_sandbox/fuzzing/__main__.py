"""`python -m amazon_sandbox.fuzzing`: fuzzes for a while and says what was found."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import httpx
import typer

from amazon_sandbox.fuzzing.fuzzer import Fuzzer
from amazon_sandbox.testing import LocalAmazon, local_amazon


def main(
    models: Annotated[Path, typer.Argument(help="Amazon's model files.", exists=True, file_okay=False)],
    seconds: Annotated[float, typer.Option(help="How long.")] = 600.0,
    seed: Annotated[int, typer.Option(help="Another seed asks other things.")] = 1,
) -> None:
    """Starts a local Amazon, asks it rubbish, and says what it could not answer."""
    with local_amazon("--no-quotas") as urls, httpx.Client(timeout=30) as http:
        fuzzer = Fuzzer(models, LocalAmazon(http, urls), seed)
        fuzzer.run(seconds=seconds)
    total = sum(counter.total() for counter in fuzzer.statuses.values())
    answered = sorted(Counter(status for counter in fuzzer.statuses.values() for status in counter.elements()).items())
    typer.echo(f"{total} requests to {len(fuzzer.statuses)} operations; answers by status: {dict(answered)}")
    for finding in fuzzer.findings[:20]:
        typer.echo(f"{finding.status} {finding.method} {finding.target}\n    {finding.body}")
    if fuzzer.findings:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
