"""`--world FILE`: the world to start with, as a snapshot or as a list of dials to turn one after another."""

from typing import Any

import msgspec

from amazon_sandbox import snapshots
from amazon_sandbox.dials import turn
from amazon_sandbox.dials.dial import DialError
from amazon_sandbox.world import World


class Turn(msgspec.Struct, forbid_unknown_fields=True):
    """One entry: `{"dial": "POST /sandbox/sellers", "body": {...}, "query": {...}}`."""

    dial: str
    body: Any = None
    query: dict[str, str] = {}


def load(world: World, content: bytes) -> None:
    """ValueError says which turn of the list is wrong, and how its dial is used."""
    if content.startswith(snapshots.MARK):
        snapshots.restore(world, content)
        return
    try:
        turns = msgspec.json.decode(content, type=list[Turn])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"neither a snapshot nor a list of dials: {error}") from error
    for position, one in enumerate(turns):
        try:
            turn(world, one.dial, one.query, msgspec.json.encode(one.body) if one.body is not None else b"")
        except DialError as error:
            raise ValueError(f"entry {position}, {one.dial}: {error.message}") from error
