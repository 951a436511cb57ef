"""The merchant's world of the demo, as data: two sellers, 200 listings, two sources, 30 changes, 40 orders."""

from dataclasses import dataclass
from decimal import Decimal

US, UK = "ATVPDKIKX0DER", "A1F83G8C2ARO7P"
CURRENCY = {US: "USD", UK: "GBP"}

LISTINGS = 200
CHANGES = 30
ORDERS = 40
# SKUs of ours that are not among the seller's Amazon listings: linking counts them, it is no error.
NOT_AT_AMAZON = 12
# What each source has; the second is cheaper. They overlap; the last 50 only the second one has.
COMPLIANT_SKUS = range(150)
OTHER_SKUS = range(100, 200)
# Orders 0-29 can be filled by the compliant source, 30-39 by the other one alone.
HELD_ORDERS = 10


@dataclass(frozen=True)
class Seller:
    """A merchant's seller account at Amazon."""

    selling_partner_id: str
    region: str
    marketplace_id: str
    name: str


SELLERS = (Seller("A1DEMOSELLERUS", "NA", US, "Acme US"), Seller("A2DEMOSELLERUK", "EU", UK, "Acme UK"))


@dataclass(frozen=True)
class Product:
    """One of the 200: its SKU, where it is sold, its price and quantity at the start."""

    index: int
    sku: str
    seller: Seller
    price: Decimal
    quantity: int

    @property
    def at_amazon(self) -> bool:
        """Whether the seller's Amazon catalogue has it."""
        return (
            self.index % (LISTINGS // NOT_AT_AMAZON) != 7 or self.index // (LISTINGS // NOT_AT_AMAZON) >= NOT_AT_AMAZON
        )


def _sku(index: int) -> str:
    """Most SKUs are plain; every tenth holds what breaks connectors: a slash, a space, a percent sign, a leading 0."""
    awkward = {0: f"A/B {index:03}", 10: f"50% off-{index:03}", 20: f"{index:04}", 30: f"Größe+{index:03}&c"}
    return awkward.get(index % 40, f"SKU-{index:03}")


def products() -> list[Product]:
    """Every fourth product is sold in the UK, the others in the US."""
    return [
        Product(
            index=index,
            sku=_sku(index),
            seller=SELLERS[index % 4 == 3],
            price=Decimal("10.00") + Decimal(index) / 4,
            quantity=20 + index % 30,
        )
        for index in range(LISTINGS)
    ]


def changes(everything: list[Product]) -> dict[int, tuple[int | None, Decimal | None]]:
    """30 products by index with a new quantity, a new price or both; some go to zero."""
    chosen = [product for product in everything if product.at_amazon][3::6][:CHANGES]
    wanted: dict[int, tuple[int | None, Decimal | None]] = {}
    for number, product in enumerate(chosen):
        quantity = None if number % 3 == 1 else (0 if number % 5 == 0 else product.quantity + 7)
        price = None if number % 3 == 0 else product.price + Decimal("1.25")
        wanted[product.index] = (quantity, price)
    return wanted


def ordered(everything: list[Product]) -> list[tuple[Product, int]]:
    """The product and quantity of each of the 40 orders."""
    changed = changes(everything)
    sellable = [product for product in everything if product.at_amazon and changed.get(product.index, (1,))[0] != 0]
    fillable = [product for product in sellable if product.index in COMPLIANT_SKUS]
    only_other = [product for product in sellable if product.index not in COMPLIANT_SKUS]
    chosen = fillable[:: len(fillable) // (ORDERS - HELD_ORDERS)][: ORDERS - HELD_ORDERS] + only_other[:HELD_ORDERS]
    return [(product, 1 + number % 2) for number, product in enumerate(chosen)]
