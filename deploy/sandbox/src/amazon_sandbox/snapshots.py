"""A whole world as bytes, and back: sellers, orders, tokens, quotas, faults, the clock, and what is still to come.

The bytes are a pickle, because the world is a graph: the same listing is in the catalogue and on the agenda. They are
read back by an unpickler that makes nothing but this package's own data and a few plain types: a file from elsewhere
is refused.
"""

import io
import pickle
from typing import Any

from amazon_sandbox import page_tokens
from amazon_sandbox.world import World

MARK = b"amazon-sandbox world 2\n"

_PLAIN_TYPES = {
    ("collections", "Counter"),
    ("collections", "deque"),
    ("decimal", "Decimal"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
}
_NO_DATA = ("amazon_sandbox.__main__", "amazon_sandbox.server", "amazon_sandbox.testing")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN_TYPES:
            return super().find_class(module, name)
        if module.startswith("amazon_sandbox.") and module not in _NO_DATA and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a world")


def take(world: World) -> bytes:
    """The world as it is at this moment."""
    for seller in world.sellers.values():
        for order in seller.orders.orders.values():
            order.rendered = None  # made anew when somebody asks
    return MARK + pickle.dumps((page_tokens.key(), world.state()), protocol=5)


def restore(world: World, snapshot: bytes) -> None:
    """Puts the world back to that moment, clock included; ValueError when these are not the bytes of a world."""
    if not snapshot.startswith(MARK):
        raise ValueError("these are not the bytes of a world: take them from GET /sandbox/world")
    try:
        key, state = _Unpickler(io.BytesIO(memoryview(snapshot)[len(MARK) :])).load()
        world.put_back(state)
        page_tokens.use(key)
    except Exception as error:  # a pickle can go wrong in every way there is
        raise ValueError(f"this world cannot be put back: {error}") from error
