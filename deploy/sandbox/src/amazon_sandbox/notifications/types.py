"""The notification types this Amazon knows: where each goes, how it is spelt, and its payload versions (FACTS 9)."""

from typing import Literal, NamedTuple

ORDER_CHANGE = "ORDER_CHANGE"
ANY_OFFER_CHANGED = "ANY_OFFER_CHANGED"
FEED_PROCESSING_FINISHED = "FEED_PROCESSING_FINISHED"
REPORT_PROCESSING_FINISHED = "REPORT_PROCESSING_FINISHED"
LISTINGS_ITEM_STATUS_CHANGE = "LISTINGS_ITEM_STATUS_CHANGE"
LISTINGS_ITEM_ISSUES_CHANGE = "LISTINGS_ITEM_ISSUES_CHANGE"
LISTINGS_ITEM_MFN_QUANTITY_CHANGE = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
NEW_SECRET = "APPLICATION_OAUTH_CLIENT_NEW_SECRET"  # noqa: S105 - the name of a type
SECRET_EXPIRY = "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY"  # noqa: S105 - the name of a type

Channel = Literal["SQS", "EVENT_BRIDGE"]


class NotificationType(NamedTuple):
    """`camel` says how the envelope is spelt (FACTS 9.5); `filtered` whether it takes an eventFilter (FACTS 9.3)."""

    name: str
    channel: Channel
    payload_versions: tuple[str, ...]
    camel: bool = False
    filtered: bool = False

    @property
    def notification_version(self) -> str:
        return self.payload_versions[-1] if self.camel else "1.0"


_ROWS = (
    NotificationType(ORDER_CHANGE, "SQS", ("1.0",), filtered=True),
    NotificationType(ANY_OFFER_CHANGED, "SQS", ("1.0",), filtered=True),
    NotificationType(FEED_PROCESSING_FINISHED, "SQS", ("2020-09-04",), camel=True),
    NotificationType(REPORT_PROCESSING_FINISHED, "SQS", ("2020-09-04",), camel=True),
    NotificationType("PRICING_HEALTH", "SQS", ("1.0",), camel=True),
    NotificationType(LISTINGS_ITEM_STATUS_CHANGE, "EVENT_BRIDGE", ("1.0",)),
    NotificationType(LISTINGS_ITEM_ISSUES_CHANGE, "EVENT_BRIDGE", ("2023-12-13",)),  # FACTS 9.8: 1.0 is gone
    NotificationType(LISTINGS_ITEM_MFN_QUANTITY_CHANGE, "EVENT_BRIDGE", ("1.0",)),
    NotificationType("PRODUCT_TYPE_DEFINITIONS_CHANGE", "EVENT_BRIDGE", ("1.0",)),
    NotificationType("ITEM_PRODUCT_TYPE_CHANGE", "EVENT_BRIDGE", ("1.0",)),
    NotificationType("BRANDED_ITEM_CONTENT_CHANGE", "EVENT_BRIDGE", ("1.0",)),
)

NOTIFICATION_TYPES: dict[str, NotificationType] = {row.name: row for row in _ROWS}

# Sent to the queue that an app enrolled in its console, never subscribed to (FACTS 2.5).
APP_NOTIFICATIONS: dict[str, NotificationType] = {
    row.name: row
    for row in (
        NotificationType(NEW_SECRET, "SQS", ("1.0",), camel=True),
        NotificationType(SECRET_EXPIRY, "SQS", ("1.0",), camel=True),
    )
}
