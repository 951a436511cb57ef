"""Text that others send (pure): what no column, path or JSON answer can hold is refused with its place."""

from collections.abc import Iterator, Mapping
from typing import Any

# The longest single text that any field takes; a field that says less has its own limit.
LONGEST_TEXT = 2048
DEEPEST = 20

Place = tuple[str | int, ...]


def text_problem(text: str, longest: int = LONGEST_TEXT) -> str | None:
    """What is wrong with a text; None when it can be kept."""
    if len(text) > longest:
        return f"has {len(text)} characters; at most {longest}"
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half of a surrogate pair"
    return None


def odd_texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """The place and the fault of each text in a JSON value, names of fields included. Names that are odd themselves
    stand in no place."""
    if isinstance(value, str):
        if problem := text_problem(value):
            yield place, problem
    elif len(place) >= DEEPEST:
        if isinstance(value, list | Mapping):
            yield place, f"is nested deeper than {DEEPEST} levels"
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if isinstance(name, str) and (problem := text_problem(name)):
                yield place, f"has a field whose name {problem}"
            else:
                yield from odd_texts(part, (*place, name))
    elif isinstance(value, list):
        for position, part in enumerate(value):
            yield from odd_texts(part, (*place, position))
