"""The messages of a JSON_LISTINGS_FEED: their shape, and how one concerns several marketplaces (FACTS 6.9, 6.10)."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from amazon_sandbox.listings.documents import DATA_SETS
from amazon_sandbox.listings.patches import Patch, not_meant_for, patches_not_meant_for
from amazon_sandbox.listings.submissions import refuse_impossible_sku
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.wire import SpApiError

HIGHEST_ID = 2**31 - 1

_Text = Annotated[str, msgspec.Meta(min_length=1)]

# What each operation needs, besides messageId and sku; it takes nothing else but UPDATE's requirements.
_NEEDED: dict[str, set[str]] = {
    "UPDATE": {"productType", "attributes"},
    "PARTIAL_UPDATE": {"productType", "attributes"},
    "PATCH": {"productType", "patches"},
    "DELETE": set(),
}
_OPTIONAL = {"UPDATE": {"requirements"}}
_BODY = {"productType", "requirements", "attributes", "patches"}


class IncludedReport(msgspec.Struct, rename="camel"):
    """Asks for the listings themselves in the processing report."""

    included_data: Annotated[list[str], msgspec.Meta(min_length=1)]
    api_version: Literal["2021-08-01"]

    def __post_init__(self) -> None:
        for name in self.included_data:
            if name not in DATA_SETS:
                raise ValueError(f"includedData takes {', '.join(DATA_SETS)}")


class Header(msgspec.Struct, rename="camel"):
    seller_id: str
    version: Literal["2.0"]
    issue_locale: str | None = None
    report: IncludedReport | None = None


class Message(msgspec.Struct, rename="camel"):
    message_id: Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_ID)]
    sku: _Text
    operation_type: Literal["UPDATE", "PARTIAL_UPDATE", "PATCH", "DELETE"]
    product_type: _Text = "PRODUCT"
    requirements: Literal["LISTING", "LISTING_PRODUCT_ONLY", "LISTING_OFFER_ONLY"] = "LISTING"
    attributes: Annotated[dict[str, list[dict[str, Any]]], msgspec.Meta(min_length=1)] = {}
    patches: Annotated[list[Patch], msgspec.Meta(min_length=1)] = []


def identity(raw: Any) -> tuple[int | None, str | None]:
    """What of a message, however broken, can be named in its issues: messageId and SKU."""
    message_id, sku = (raw.get("messageId"), raw.get("sku")) if isinstance(raw, dict) else (None, None)
    named = isinstance(message_id, int) and not isinstance(message_id, bool) and 1 <= message_id <= HIGHEST_ID
    return message_id if named else None, sku if isinstance(sku, str) else None


def read(raw: Any) -> Message:
    """Raises SpApiError with the reason that this is no message."""
    try:
        message = msgspec.convert(raw, Message)
    except msgspec.ValidationError as error:
        raise _refused(f"The message is invalid: {error}") from error
    given, operation = _BODY & raw.keys(), message.operation_type
    absent = _NEEDED[operation] - given
    unwanted = given - _NEEDED[operation] - _OPTIONAL.get(operation, set())
    if absent:
        raise _refused(f"{operation} needs {', '.join(sorted(absent))}.")
    if unwanted:
        raise _refused(f"{operation} does not take {', '.join(sorted(unwanted))}.")
    refuse_impossible_sku(message.sku)
    if operation == "PARTIAL_UPDATE":  # FACTS 6.10: the same as PATCH with replace
        patches = [Patch("replace", f"/attributes/{name}", value) for name, value in message.attributes.items()]
        return msgspec.structs.replace(message, patches=patches)
    return message


def parts(message: Message, marketplace_ids: tuple[str, ...]) -> Iterator[tuple[Marketplace, Message]]:
    """The message as it concerns each marketplace of the feed; one that no instance is meant for is left alone."""
    for marketplace_id in marketplace_ids:
        marketplace = MARKETPLACES[marketplace_id]
        if len(marketplace_ids) == 1 or message.operation_type == "DELETE":
            yield marketplace, message
            continue
        others = [other for other in marketplace_ids if other != marketplace_id]
        attributes = {name: not_meant_for(others, name, instances) for name, instances in message.attributes.items()}
        part = msgspec.structs.replace(
            message,
            attributes={name: instances for name, instances in attributes.items() if instances},
            patches=patches_not_meant_for(others, message.patches),
        )
        if part.attributes or part.patches:
            yield marketplace, part


def _refused(why: str) -> SpApiError:
    return SpApiError(400, "4000002", why)
