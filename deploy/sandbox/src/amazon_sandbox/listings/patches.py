"""What a PATCH and a PUT do to attributes, siblings lost as Amazon loses them (FACTS 5.2 and 5.4)."""

import re
from typing import Any, Literal

import msgspec

from amazon_sandbox.listings.attributes import Attributes, Instance, is_regional, selector_key
from amazon_sandbox.wire import decode

# FACTS 5.4.3: documented for these only.
MERGEABLE = {"fulfillment_availability", "purchasable_offer"}

_PATH = re.compile(r"/attributes/([A-Za-z0-9_]+)")


class Patch(msgspec.Struct, frozen=True):
    """One patch operation of the request body."""

    op: Literal["add", "replace", "merge", "delete"]
    path: str
    value: list[dict[str, Any]] | None = None

    @property
    def attribute(self) -> str | None:
        """The top-level attribute of the path; None when the path goes deeper or is none (FACTS 5.4.1)."""
        match = _PATH.fullmatch(self.path)
        return match[1] if match else None


def named_attributes(body: bytes) -> set[str]:
    """The attributes a PUT or PATCH body is about, whatever else is wrong with it."""
    try:
        document = decode(body)
    except ValueError:
        return set()
    if not isinstance(document, dict):
        return set()
    attributes, changes = document.get("attributes"), document.get("patches")
    named = set(attributes) if isinstance(attributes, dict) else set()
    for change in changes if isinstance(changes, list) else ():
        path = change.get("path") if isinstance(change, dict) else None
        if isinstance(path, str):
            named.add(path.removeprefix("/attributes/"))
    return named


def with_marketplace(name: str, instances: list[Instance], marketplace_id: str) -> list[Instance]:
    """The instances as Amazon stores them: the request's marketplace stands in for one that was left out."""
    if is_regional(name):
        return instances
    return [
        instance if "marketplace_id" in instance else {**instance, "marketplace_id": marketplace_id}
        for instance in instances
    ]


def not_meant_for(others: list[str], name: str, instances: list[Instance]) -> list[Instance]:
    """Without those that name one of these other marketplaces of the same request or feed."""
    return [one for one in instances if is_regional(name) or one.get("marketplace_id") not in others]


def patches_not_meant_for(others: list[str], patches: list[Patch]) -> list[Patch]:
    """A patch that is meant for the others altogether is left out; one without value stays, to be refused."""
    mine = [
        msgspec.structs.replace(patch, value=not_meant_for(others, patch.attribute or "", patch.value))
        if patch.value
        else patch
        for patch in patches
    ]
    return [new for new, old in zip(mine, patches, strict=True) if new.value or not old.value]


def apply(attributes: Attributes, patch: Patch, marketplace_id: str) -> Attributes:
    """New attributes after one patch whose path and value have been checked; the old ones stay as they are."""
    name = patch.attribute or ""
    given = with_marketplace(name, patch.value or [], marketplace_id)
    keys = {selector_key(name, instance) for instance in given}
    existing = attributes.get(name, [])
    others = [instance for instance in existing if selector_key(name, instance) not in keys]
    if patch.op == "delete":
        kept = others
    elif patch.op == "merge":
        kept = _merged(name, existing, given)
    else:
        # add and replace are the same: the matched instance is replaced whole, its unsent siblings are gone.
        kept = [*others, *given]
    patched = {key: instances for key, instances in attributes.items() if key != name}
    if kept:
        patched[name] = kept
    return patched


def _merged(name: str, existing: list[Instance], given: list[Instance]) -> list[Instance]:
    merged = {selector_key(name, instance): instance for instance in existing}
    for instance in given:
        key = selector_key(name, instance)
        fields = {**merged.get(key, {}), **instance}
        merged[key] = {field: value for field, value in fields.items() if value is not None}
    return list(merged.values())


def put(attributes: Attributes, submitted: Attributes, marketplace_id: str) -> Attributes:
    """A PUT: everything submitted before for this marketplace is gone (FACTS 5.2)."""
    result = {
        name: with_marketplace(name, instances, marketplace_id) for name, instances in submitted.items() if instances
    }
    for name, instances in attributes.items():
        elsewhere = [
            instance
            for instance in instances
            if not is_regional(name) and instance.get("marketplace_id") != marketplace_id
        ]
        if elsewhere:
            result[name] = [*elsewhere, *result.get(name, [])]
    return result


def delist(attributes: Attributes, marketplace_id: str) -> Attributes | None:
    """Attributes without this marketplace; None when the SKU is then listed nowhere."""
    left = {
        name: [one for one in instances if is_regional(name) or one.get("marketplace_id") != marketplace_id]
        for name, instances in attributes.items()
    }
    left = {name: instances for name, instances in left.items() if instances}
    return left if any(not is_regional(name) for name in left) else None
