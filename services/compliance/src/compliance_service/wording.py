"""What people read about a decision (pure): one sentence per rejected source, one per held order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from common.contracts.agreements import RULES
from compliance_service.routing import Decision, GroupRules, HoldCode, Rejection, RejectionCode, SourceFacts

_AGREEMENT = RULES[0].agreement

_REJECTIONS: Mapping[RejectionCode, str] = {
    "not_in_group": "is not in the channel's routing group",
    "disabled": "is switched off",
    "sku_unknown": "has none of the SKUs in its inventory: {skus}",
    "no_stock": "has nothing left of {skus}",
    "not_compliant": f"has not attested to the {_AGREEMENT}, which this order needs; switch its toggle on",
    "policy_unsupported": "does not support the order's shipping policy",
    "refused": "refused to ship this order",
    "not_enough_stock": "has only a part of what the order needs",
    "outranked": "another source ranked before it",
}
_HOLDS: Mapping[HoldCode, str] = {
    "no_source_has_sku": "No source that may be asked has {skus} in its inventory; sources: {sources}",
    "none_in_stock": "The sources together have too little stock of {skus}; sources: {sources}",
    "none_compliant": f"Only sources that have not attested to the {_AGREEMENT} have enough of {{skus}}: {{barred}}",
    "already_released": "Sources were asked for {skus} before; decided again when the order changes or one refuses",
    "line_without_sku": "An item of the order has no SKU at Amazon, so no source can be asked for it",
    "rule_not_satisfiable": "The stock is there, but not under this channel's rules ({rules}); sources: {sources}",
}
_NAMED = 20


def rejection_detail(rejection: Rejection, name: str) -> str:
    """E.g. "North warehouse has nothing left of A-1, A-2"."""
    return f"{name} {_REJECTIONS[rejection.code].format(skus=_listed(rejection.skus))}"


def hold_detail(decision: Decision, sources: Sequence[SourceFacts], group: GroupRules) -> str:
    """Why the order is held, with the sources' names. Raises `KeyError` for a decision that holds nothing."""
    names: dict[UUID, str] = {source.source_id: source.name for source in sources}
    rejected = [(rejection.code, names[rejection.source_id]) for rejection in decision.rejected]
    rules = ", ".join(group.priorities) + ("" if group.allow_split else ", no split")
    assert decision.hold is not None
    return _HOLDS[decision.hold].format(
        skus=_listed(decision.skus),
        sources=_listed([name for code, name in rejected if code not in ("not_in_group", "disabled")]),
        barred=_listed([name for code, name in rejected if code == "not_compliant"]),
        rules=rules,
    )


def _listed(names: Sequence[str]) -> str:
    """The first names and how many more there are; "none" when there are none."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more if names else "none"
