"""`python -m tests.faults --seed 7 --seconds 120`: one run of the chaos; exits 1 when an invariant does not hold."""

from typing import Annotated

import typer
from tests.faults.running import run


def main(
    seed: Annotated[int, typer.Option(help="The same seed is the same schedule.")] = 1,
    seconds: Annotated[float, typer.Option(help="How long the trade and the faults last.")] = 120,
) -> None:
    """Two replicas of each service over Apache Kafka, under kills, stops and Amazon's faults."""
    if run(seed, seconds, lambda line: typer.echo(line)).violations:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
