"""Pure: which of the account's shipping policies an order gets (MISSION C1)."""

from collections.abc import Iterable

import msgspec


class ShippingMapping(msgspec.Struct, frozen=True):
    """Binds Amazon's shipping text (v0's ShipServiceLevel) and/or its service level (2026-01-01) to a policy's name."""

    policy: str
    amazon_text: str | None = None
    service_level: str | None = None


# The four rows of the US: the texts that sellers know, and the levels that Orders 2026-01-01 sends (FACTS 8.2.8).
US_DEFAULTS = (
    ShippingMapping("Expedited", "Exp US D2D Dom", "EXPEDITED"),
    ShippingMapping("Second Day", "Second US D2D Dom", "SECOND_DAY"),
    ShippingMapping("Free Economy", "Econ US Dom", "FREE_ECONOMY"),
    ShippingMapping("Standard", "Std US D2D Dom", "STANDARD"),
)


def policies_by_text(mappings: Iterable[ShippingMapping]) -> dict[str, str]:
    """Policy by every text or level that is bound to one."""
    return {
        text: mapping.policy for mapping in mappings for text in (mapping.amazon_text, mapping.service_level) if text
    }


def bound_twice(mappings: Iterable[ShippingMapping]) -> list[str]:
    """Texts and levels that more than one row binds, sorted."""
    seen: set[str] = set()
    twice: set[str] = set()
    for mapping in mappings:
        for text in {mapping.amazon_text, mapping.service_level} - {None, ""}:
            (twice if text in seen else seen).add(str(text))
    return sorted(twice)
