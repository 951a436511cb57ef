"""What Schemathesis cannot know from a document alone. Loaded by its process (`SCHEMATHESIS_HOOKS`), not by pytest."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies

# The ids of what the account has there, by their parameters' names.
IDS: dict[str, str] = json.loads(os.environ["FUZZED_IDS"])


def parameters_of(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        for operation in operations.values():
            yield from operation.get("parameters", ())


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Lets paths lead to what is there, and leaves cursors out: only what a page gave out is a valid one, which no
    schema says (`test_one_api.py` holds them)."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            given = operation.get("parameters", ())
            operation["parameters"] = [one for one in given if (one["in"], one["name"]) != ("query", "cursor")]
    for parameter in parameters_of(raw_schema):
        if parameter["in"] == "path" and parameter["name"] in IDS:
            parameter["example"] = IDS[parameter["name"]]


@schemathesis.serializer("application/pdf")
def as_it_is(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


# Moments are taken of the years 2000 to 2199 (`common.moments`), which the format alone does not say.
FIRST, LAST = (datetime.fromisoformat(day) for day in ("2000-01-02", "2199-12-30"))
schemathesis.openapi.format(
    "date-time",
    strategies.datetimes(FIRST, LAST, timezones=strategies.just(UTC)).map(datetime.isoformat),
)
