"""Documents of feeds about listings and orders that exist, as they should be and broken."""

from typing import Any
from xml.sax.saxutils import escape

from amazon_sandbox.feeds.types import ACKNOWLEDGEMENT, FULFILLMENT, JSON_LISTINGS
from amazon_sandbox.fuzzing.known import SELLER, SKUS, US, Known
from amazon_sandbox.fuzzing.models import attributes, instance
from amazon_sandbox.fuzzing.rubbish import NUMBERS, RUBBISH, as_text, cut, json_of
from amazon_sandbox.orders.cancelling import REASONS

TYPES = (JSON_LISTINGS, ACKNOWLEDGEMENT, FULFILLMENT)
_NO_FEEDS = (
    *(b"", b"{}", b"<AmazonEnvelope/>", b"\x1f\x8b\x08", b"\xff\xfe<", b"<a>" * 20_000),
    *(b'{"header": {}, "messages": []}', b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<?xml version='1.0'"),
    b'<?xml version="1.0" encoding="nonsense"?><AmazonEnvelope/>',
)


def document(known: Known, feed_type: str) -> bytes:
    """The content of a feed of one of TYPES."""
    if known.random.random() < 0.05:
        return known.random.choice(_NO_FEEDS)
    if feed_type == JSON_LISTINGS:
        return json_of(known.random, _listings(known))
    content = _orders(known, "OrderAcknowledgement" if feed_type == ACKNOWLEDGEMENT else "OrderFulfillment")
    return cut(known.random, content) if known.random.random() < 0.1 else content


def _listings(known: Known) -> dict[str, Any]:
    random = known.random
    header: dict[str, Any] = {"sellerId": SELLER, "version": "2.0", "issueLocale": "en_US"}
    if random.random() < 0.5:
        header["report"] = {"includedData": ["issues", "attributes", "summaries"], "apiVersion": "2021-08-01"}
    return {"header": header, "messages": [_message(known, number) for number in range(1, random.randint(2, 5))]}


def _message(known: Known, number: int) -> dict[str, Any]:
    operation = known.random.choice(("UPDATE", "PARTIAL_UPDATE", "PATCH", "DELETE"))
    message: dict[str, Any] = {
        "messageId": number,
        "sku": known.random.choice(SKUS),
        "operationType": operation,
        "productType": "PRODUCT",
    }
    if operation == "PATCH":
        name = known.random.choice(("purchasable_offer", "fulfillment_availability", "item_name"))
        verb = known.random.choice(("add", "replace", "merge", "delete"))
        message["patches"] = [{"op": verb, "path": f"/attributes/{name}", "value": [instance(known)]}]
    elif operation == "DELETE":
        del message["productType"]
    else:
        message["attributes"] = attributes(known)
    return message


def _orders(known: Known, kind: str) -> bytes:
    body = _acknowledgement if kind == "OrderAcknowledgement" else _fulfillment
    messages = "".join(
        f"<Message>{_element(known, 'MessageID', str(number))}<{kind}>{body(known)}</{kind}></Message>"
        for number in range(1, known.random.randint(2, 5))
    )
    header = f"<Header><MerchantIdentifier>{SELLER}</MerchantIdentifier></Header>"
    return f"<AmazonEnvelope>{header}<MessageType>{kind}</MessageType>{messages}</AmazonEnvelope>".encode()


def _acknowledgement(known: Known) -> str:
    order_id, items = _order(known)
    fails = known.random.random() < 0.5
    reason = _element(known, "CancelReason", known.random.choice(REASONS)) if fails else ""
    return (
        _element(known, "AmazonOrderID", order_id)
        + _element(known, "MerchantOrderID", "M-1")
        + _element(known, "StatusCode", "Failure" if fails else "Success")
        + "".join(f"<Item>{_item(known, item_id)}{reason}</Item>" for item_id in items)
    )


def _fulfillment(known: Known) -> str:
    order_id, items = _order(known)
    data = (
        _element(known, "CarrierCode", "UPS")
        + _element(known, "ShippingMethod", "Ground")
        + _element(known, "ShipperTrackingNumber", known.random.choice(("1Z", "2Z")))
    )
    return (
        _element(known, "AmazonOrderID", order_id)
        + _element(known, "FulfillmentDate", "2026-01-02T03:04:05Z")
        + f"<FulfillmentData>{data}</FulfillmentData>"
        + "".join(f"<Item>{_item(known, item_id)}</Item>" for item_id in items)
    )


def _order(known: Known) -> tuple[str, list[str]]:
    """An order and some of its items, or none."""
    order_id = known.random.choice(list(known.items))
    return order_id, known.items[order_id][: known.random.randint(0, 2)]


def _item(known: Known, item_id: str) -> str:
    return _element(known, "AmazonOrderItemCode", item_id) + _element(known, "Quantity", "1")


def _element(known: Known, name: str, text: str) -> str:
    """Mostly with this text: sometimes absent, sometimes with another."""
    chance = known.random.random()
    if chance < 0.03:
        return ""
    if chance < 0.08:
        text = known.random.choice((*NUMBERS, as_text(known.random.choice(RUBBISH)), US))
    return f"<{name}>{escape(text)}</{name}>"
