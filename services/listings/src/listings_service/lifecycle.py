"""The life of a listing variant: its separate states, and which action may move them. Pure: no I/O.

What Amazon shows (`Health`) is observed, never decided; what is under way with Amazon (`Intent`) is apart from both.
"""

from dataclasses import dataclass
from typing import Literal

Link = Literal["unlinked", "linked", "broken_link"]
Health = Literal["not_listed", "listed", "hidden", "delisted"]
Intent = Literal["none", "publishing", "hiding", "unhiding", "delisting", "overwriting"]
Action = Literal["found", "gone", "unlink", "relink"]


@dataclass(frozen=True, slots=True)
class Transition:
    """From which links an action may start, and the link it leads to."""

    sources: frozenset[Link]
    target: Link


# found: the SKU is among the seller's listings (B2). gone: Amazon answers 404 for a linked one (B5).
# relink: link again what is broken or was never found; the next link run looks for it.
TRANSITIONS: dict[Action, Transition] = {
    "found": Transition(frozenset({"unlinked"}), "linked"),
    "gone": Transition(frozenset({"linked"}), "broken_link"),
    "unlink": Transition(frozenset({"linked", "broken_link"}), "unlinked"),
    "relink": Transition(frozenset({"unlinked", "broken_link"}), "unlinked"),
}


def after(link: str, action: Action) -> Link | None:
    """The link after the action; None when the action does not apply to a listing that is linked this way."""
    transition = TRANSITIONS[action]
    return transition.target if link in transition.sources else None


def observed_health(*, buyable: bool, quantity: int | None) -> Health:
    """The health of an offer that Amazon has. Hidden means not buyable with quantity 0 (MISSION, rulings)."""
    return "hidden" if quantity == 0 and not buyable else "listed"
