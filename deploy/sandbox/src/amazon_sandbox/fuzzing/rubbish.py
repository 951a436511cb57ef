"""Values that fit nowhere, and ways to break what fits: in a document, in the numbers of its JSON, in a text."""

import json
import re
from random import Random
from typing import Any

BAD_URI = "http://[bad"  # nobody can take it apart
RUBBISH: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**40, 1.5, -1e308),
    *("", " ", "0", "null", "TEST_CASE_400", "ATVPDKIKX0DER", "ATVPDKIKX0DER,,", "A" * 5000, "1" * 5000),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-45"),
    *("\x00", "\ud83d\ude00", "é", "../..", "%00", "{}", "[]", [], {}, [[]], [None], {"": None}, {"a": {"b": [{}]}}),
    BAD_URI,
)
# Literals that JSON allows and programs stumble over.
NUMBERS = (
    *("1e400", "-1e400", "1e999999999", "1e9999999999999999999", "-1e-9999999999999999999", "1e-400", "1E+2"),
    *("9" * 400, "1" * 5000, "0." + "1" * 5000, "-0", "-0.0", "18446744073709551616", "5.0"),
)
BODIES = (b"", b"{", b"[" * 50_000, b"\xff\xfe", b'"text"', b"null", b'{"a":1e999}', b'{"a":1e9999999999999999999}')
_NUMBER = re.compile(r"(?<=[:\[ ])-?\d+(?:\.\d+)?(?=[,}\]])")


def as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(as_text, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else json.dumps(value)


def broken(random: Random, document: Any) -> Any:
    """The same with one place of it gone, added or replaced."""
    rubbish = random.choice(RUBBISH)
    if isinstance(document, dict) and document and random.random() < 0.85:
        key = random.choice(list(document))
        action = random.random()
        if action < 0.2:
            return {name: value for name, value in document.items() if name != key}
        if action < 0.3:
            return {**document, as_text(rubbish): rubbish}
        return {**document, key: broken(random, document[key])}
    if isinstance(document, list) and document and random.random() < 0.85:
        at = random.randrange(len(document))
        return [*document[:at], broken(random, document[at]), *document[at + 1 :]]
    return rubbish


def json_of(random: Random, document: Any) -> bytes:
    """The JSON of `document`, broken in none, one or two places; now and then no JSON at all."""
    chance = random.random()
    if chance < 0.03:
        return random.choice(BODIES)
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        document = broken(random, document)
    text = json.dumps(document)
    places = [*_NUMBER.finditer(text)] if chance < 0.15 else []
    if places:
        place = random.choice(places)
        text = text[: place.start()] + random.choice(NUMBERS) + text[place.end() :]
    return text.encode()


def cut(random: Random, content: bytes) -> bytes:
    """A text with a piece of it gone or doubled."""
    start, end = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[end:] if random.random() < 0.5 else content[:end] + content[start:]
