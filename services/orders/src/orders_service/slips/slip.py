"""What a packing slip says: order, items, quantities, ship-to, and the seller - never who fulfils it (MISSION D7)."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from common.amazon.order import DeliveryAddress
from common.amazon.values import Personal
from orders_service.personal_data import PersonalData
from orders_service.slips.addresses import Address, lines, of_business, of_delivery
from orders_service.slips.languages import Language

# Controls, unpaired surrogates and the marks that turn the direction of what follows: none of them is text.
_NO_TEXT = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\u202a-\\u202e\\u2066-\\u2069\\ufeff]+")
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")


class Packed(NamedTuple):
    """One item as the order has it, with the quantity that goes into this parcel's request."""

    order_item_id: str
    sku: str
    title: str | None
    quantity: int


class SlipItem(Personal, frozen=True):
    """One row of a slip."""

    quantity: int
    sku: str
    title: str
    gift_message: str | None = None


class Slip(Personal, frozen=True):
    """Everything that is printed, in the order and the words it is printed in."""

    amazon_order_id: str
    order_date: str
    seller: str
    return_address: tuple[str, ...]
    ship_to: tuple[str, ...]
    items: tuple[SlipItem, ...]


def make(
    *,
    language: Language,
    amazon_order_id: str,
    order_date: str,
    seller: str,
    return_address: Mapping[str, str | None],
    delivery_address: DeliveryAddress,
    packed: Sequence[Packed],
    personal: PersonalData,
) -> Slip:
    """The slip of one request, or of a whole order when `packed` holds all of it."""
    messages = {
        item.order_item_id: item.gift_option.gift_message
        for item in personal.items
        if item.gift_option and item.gift_option.gift_message
    }
    return Slip(
        amazon_order_id=plain(amazon_order_id),
        order_date=order_date,
        seller=plain(seller),
        return_address=_plain_lines(of_business(return_address, seller), language),
        ship_to=_plain_lines(of_delivery(delivery_address), language),
        items=tuple(
            SlipItem(
                quantity=part.quantity,
                sku=plain(part.sku),
                title=plain(part.title or ""),
                gift_message=paragraphs(messages.get(part.order_item_id, "")) or None,
            )
            for part in packed
        ),
    )


def _plain_lines(address: Address, language: Language) -> tuple[str, ...]:
    return tuple(text for line in lines(address, language) if (text := plain(line)))


def plain(text: str) -> str:
    """One line of printable text."""
    return " ".join(paragraphs(text).split())


def paragraphs(text: str) -> str:
    """Printable text that keeps its line breaks."""
    return _NO_TEXT.sub(" ", _BREAKS.sub("\n", text)).strip()


def is_right_to_left(text: str) -> bool:
    """Whether the first letter with a direction is of a script that runs to the left (as HTML's `dir=auto`)."""
    return next((kind != "L" for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL")), False)


def named(names: Iterable[str], slip_sender: Sequence[str]) -> str | None:
    """The first of the names that stands, as whole words, in what the slip says of its sender."""
    said = "\n".join(slip_sender).casefold()
    for name in names:
        wanted = name.strip().casefold()
        if wanted and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", said):
            return name
    return None
