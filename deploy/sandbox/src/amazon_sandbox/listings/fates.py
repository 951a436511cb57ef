"""What may become of a write that Amazon has ACCEPTED: a dial decides over the next ones (FACTS 5.6, PAINS 3 and 4)."""

from typing import Annotated, Any, Literal

import msgspec

from amazon_sandbox.listings.attributes import Attributes, is_regional

Kind = Literal["issues", "incomplete", "never", "late"]


class Fate(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """For the next `count` accepted writes of a seller, or of one `sku` or `marketplace_id`.

    issues: the listing comes into sight with `issues` (the model's `Issue`); incomplete: it comes into sight without
    price and quantity; never: it does not come into sight at all; late: it does so `seconds` later.
    """

    selling_partner_id: str
    kind: Kind
    sku: str | None = None
    marketplace_id: str | None = None
    issues: list[dict[str, Any]] = []
    seconds: Annotated[float, msgspec.Meta(ge=0, le=366 * 24 * 3600)] = 3600.0
    count: Annotated[int, msgspec.Meta(ge=1)] = 1


class Fates:
    def __init__(self) -> None:
        self.waiting: list[Fate] = []

    def next_for(self, selling_partner_id: str, sku: str, marketplace_id: str) -> Fate | None:
        """The first that fits this write, used up by one."""
        for fate in self.waiting:
            if (
                fate.selling_partner_id == selling_partner_id
                and fate.sku in (None, sku)
                and fate.marketplace_id in (None, marketplace_id)
            ):
                fate.count -= 1
                if fate.count == 0:
                    self.waiting.remove(fate)
                return fate
        return None


def incomplete(attributes: Attributes, marketplace_id: str) -> Attributes:
    """The offer as it looks when Amazon took less of it than was sent: no price, a blank quantity."""
    left: Attributes = {}
    for name, instances in attributes.items():
        if name == "purchasable_offer":
            kept = [one for one in instances if one.get("marketplace_id") != marketplace_id]
        elif is_regional(name):
            kept = [{field: value for field, value in one.items() if field != "quantity"} for one in instances]
        else:
            kept = instances
        if kept:
            left[name] = kept
    return left
