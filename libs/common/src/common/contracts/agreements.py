"""Which sales need an attested source, as dated data (pure). MISSION D3, from the seed's "Required Compliance".

Compliance decides by it and orders rechecks by it when it releases, so there is one table for both."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class AttestationRule:
    """From `bought_from` on, orders of `channel_type` go only to sources that attested to `agreement`."""

    channel_type: str
    agreement: str
    bought_from: datetime


RULES = (AttestationRule("amazon", "Amazon Services Business Solutions Agreement", datetime(2022, 9, 22, tzinfo=UTC)),)


def required_agreement(channel_type: str, purchased_at: datetime) -> AttestationRule | None:
    """The rule that binds an order bought at that time (aware) on that kind of channel; None when there is none."""
    for rule in RULES:
        if rule.channel_type == channel_type and purchased_at >= rule.bought_from:
            return rule
    return None
