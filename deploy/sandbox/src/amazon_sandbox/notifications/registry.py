"""Destinations of an app, subscriptions of its sellers, event rules, and the faults armed for deliveries."""

from typing import Any, Literal

import msgspec

from amazon_sandbox.marketplaces import RegionCode

DeliveryKind = Literal["lose", "duplicate", "delay", "reorder"]


class Destination(msgspec.Struct, frozen=True):
    """Either a queue's ARN, or an account and region whose partner event source is `event_source`."""

    destination_id: str
    client_id: str
    region: RegionCode
    name: str
    queue_arn: str | None = None
    account_id: str | None = None
    aws_region: str | None = None
    event_source: str | None = None


class Subscription(msgspec.Struct, frozen=True):
    subscription_id: str
    client_id: str
    region: RegionCode
    selling_partner_id: str
    notification_type: str
    payload_version: str
    destination_id: str
    processing_directive: dict[str, Any] | None = None


class EventRule(msgspec.Struct, frozen=True):
    """An event bus of the partner event source with one rule: these types (none: all) go to this queue."""

    event_source: str
    queue_arn: str
    detail_types: tuple[str, ...] = ()


class DeliveryFault(msgspec.Struct, forbid_unknown_fields=True):
    """For the next `count` deliveries: lost, twice, late by `seconds`, or overtaken by the one after (FACTS 9.10)."""

    kind: DeliveryKind
    count: int = 1
    seconds: float = 60.0
    notification_type: str | None = None
    selling_partner_id: str | None = None


class Registry:
    """Plain data only, so that a snapshot of the world can hold it."""

    def __init__(self) -> None:
        self.destinations: dict[str, Destination] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.rules: list[EventRule] = []
        self.faults: list[DeliveryFault] = []
        self.key_grants: set[str] = set()  # KMS keys that Amazon may use (FACTS 9.2)
        self.sent: dict[str, int] = {}  # by "type outcome", for the books

    def subscribed(self, region: RegionCode, selling_partner_id: str, notification_type: str) -> list[Subscription]:
        return [
            one
            for one in self.subscriptions.values()
            if one.notification_type == notification_type
            and one.selling_partner_id == selling_partner_id
            and one.region == region
        ]

    def next_fault(self, notification_type: str, selling_partner_id: str) -> DeliveryFault | None:
        """The first armed fault that fits, used up by one."""
        for fault in self.faults:
            fits = fault.notification_type in (None, notification_type)
            if fits and fault.selling_partner_id in (None, selling_partner_id):
                fault.count -= 1
                if fault.count == 0:
                    self.faults.remove(fault)
                return fault
        return None

    def count(self, notification_type: str, outcome: str) -> None:
        key = f"{notification_type} {outcome}"
        self.sent[key] = self.sent.get(key, 0) + 1

    def end_authorization(self, region: RegionCode, selling_partner_id: str) -> None:
        """A subscription dies with the authorisation (FACTS 9.3)."""
        self.subscriptions = {
            key: one
            for key, one in self.subscriptions.items()
            if (one.region, one.selling_partner_id) != (region, selling_partner_id)
        }
