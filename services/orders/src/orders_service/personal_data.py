"""A buyer's data: taken out of Amazon's answer, sealed under one data key per order, and opened for who may see it."""

import os
from typing import TypeVar
from uuid import UUID

import msgspec

from common.amazon.order import Buyer, DeliveryAddress, GiftOption, ItemCustomization, Order, OrderItem, Recipient
from common.amazon.values import Personal
from common.crypto import Context, KeyRing, decrypt, encrypt
from common.rewrapping import SealedColumn

_PURPOSE = "personal data"
_KEY_PURPOSE = "order key"
_BODY_PURPOSE = "unimported order"

# What a rotation of the key ring wraps anew; the personal data itself is under the order's own key.
SEALED = (
    SealedColumn("order_key", "wrapped", _KEY_PURPOSE, record="order_id", key="order_id"),
    SealedColumn(
        "unimported_order", "sealed_body", _BODY_PURPOSE, record="reference", key="reference", key_type="text"
    ),
)


P = TypeVar("P", bound=Personal)


class ItemPersonalData(Personal, frozen=True):
    """What one order item says of its buyer."""

    order_item_id: str
    gift_option: GiftOption | None = None
    customization: ItemCustomization | None = None


class PersonalData(Personal, frozen=True):
    """Everything MISSION C9 lists, as Amazon sent it."""

    buyer: Buyer | None = None
    recipient: Recipient | None = None
    items: tuple[ItemPersonalData, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(PersonalData)


def of_order(order: Order) -> PersonalData | None:
    """The buyer's data of an order; None when there is none, as for a pending or a cancelled one."""
    items = [found for item in order.order_items if (found := _of_item(item)) is not None]
    if order.buyer is None and order.recipient is None and not items:
        return None
    return PersonalData(buyer=order.buyer, recipient=order.recipient, items=tuple(items))


def _of_item(item: OrderItem) -> ItemPersonalData | None:
    gift = item.fulfillment.packing.gift_option if item.fulfillment and item.fulfillment.packing else None
    customization = item.product.customization
    if gift is None and customization is None:
        return None
    return ItemPersonalData(order_item_id=item.order_item_id, gift_option=gift, customization=customization)


def fill(first: PersonalData, second: PersonalData) -> PersonalData:
    """The first with what only the second has. Of two addresses that differ one is taken whole, never a mixture."""
    rest = {item.order_item_id: item for item in second.items}
    items = [_fill(item, rest.pop(item.order_item_id, None)) for item in first.items]
    recipient = _fill(first.recipient, second.recipient)
    if recipient and first.recipient and second.recipient:
        address = _fill_address(first.recipient.delivery_address, second.recipient.delivery_address)
        recipient = msgspec.structs.replace(recipient, delivery_address=address)
    return PersonalData(
        buyer=_fill(first.buyer, second.buyer),
        recipient=recipient,
        items=(*[item for item in items if item], *rest.values()),
    )


def _fill(first: P | None, second: P | None) -> P | None:
    if first is None or second is None:
        return first or second
    missing = {}
    for name in first.__struct_fields__:
        mine, other = getattr(first, name), getattr(second, name)
        if isinstance(mine, Personal):
            missing[name] = _fill(mine, other)
        elif mine is None:
            missing[name] = other
    return msgspec.structs.replace(first, **missing)


def _fill_address(first: DeliveryAddress | None, second: DeliveryAddress | None) -> DeliveryAddress | None:
    if first is None or second is None:
        return first or second
    filled = _fill(first, second)
    if filled == _fill(second, first):
        return filled
    return second if second.is_deliverable and not first.is_deliverable else first


def seal(ring: KeyRing, account_id: UUID, order_id: UUID, personal: PersonalData) -> tuple[bytes, bytes]:
    """The sealed data and its own data key, wrapped by the ring; without the key nobody reads the data again."""
    record = str(order_id)
    data_key = os.urandom(32)
    sealed = encrypt(data_key, _encoder.encode(personal), Context(account_id, record, _PURPOSE))
    return sealed, ring.wrap(data_key, Context(account_id, record, _KEY_PURPOSE))


def unseal(ring: KeyRing, account_id: UUID, order_id: UUID, sealed: bytes, wrapped: bytes) -> PersonalData:
    """Raises `KeyLost` or `Unreadable` of `common.crypto`."""
    record = str(order_id)
    data_key = ring.unwrap(wrapped, Context(account_id, record, _KEY_PURPOSE))
    return _decoder.decode(decrypt(data_key, sealed, Context(account_id, record, _PURPOSE)))


def seal_body(ring: KeyRing, account_id: UUID, reference: str, body: bytes) -> bytes:
    """A body that could not be read, whole: it may hold anything of the buyer."""
    return ring.seal(body, Context(account_id, reference, _BODY_PURPOSE))
