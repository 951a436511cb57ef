"""What the fuzzer asks about: its sellers and SKUs, what earlier answers told it, and chance."""

from collections import defaultdict
from random import Random
from typing import Any, NamedTuple

US = "ATVPDKIKX0DER"
SELLER = "A1FUZZ"
OTHER_SELLER = "A2FUZZ"  # whose authorisation may end: the run does not call for it
SKUS = ("A/B", "A%2FB", "a b", "007", "Ünïcode", "")
_MOST_KEPT = 40
_ENDINGS = ("Id", "Token", "Arn", "Handle", "QueueUrl")


class Asked(NamedTuple):
    """A request as it is sent. `name` is what it is counted under; `base` the door: na, lwa, dials, or none of them."""

    name: str
    method: str
    base: str
    target: str
    body: bytes | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 - a default nobody changes


class Known:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - to repeat, not to hide
        self.seen: dict[str, list[str]] = defaultdict(list)
        self.items: dict[str, list[str]] = {}  # the item ids of each order

    def one(self, name: str, otherwise: str = "nobody") -> str:
        """Mostly something that was seen under this name."""
        return self.random.choice(self.seen[name]) if self.seen[name] and self.random.random() < 0.9 else otherwise

    def note(self, name: str, value: str) -> None:
        self.seen[name] = [*self.seen[name], value][-_MOST_KEPT:]

    def remember(self, document: Any) -> None:
        """Ids and tokens of an answer."""
        waiting: list[Any] = [document]
        while waiting:
            one = waiting.pop()
            if isinstance(one, dict):
                for key, value in one.items():
                    if isinstance(value, str) and (key.endswith(_ENDINGS) or key == "url"):
                        for name in ("paginationToken", "pageToken") if key == "nextToken" else (str(key),):
                            self.note(name, value)
                    else:
                        waiting.append(value)
            elif isinstance(one, list):
                waiting += one
