"""The products of a marketplace: those a dial has put there, and those that sellers list."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from amazon_sandbox.listings.attributes import in_marketplace, value_of
from amazon_sandbox.listings.catalogue import Snapshot
from amazon_sandbox.listings.documents import asin_of
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World


class Product(msgspec.Struct, frozen=True, gc=False):
    """One ASIN in one marketplace; `identifiers` are pairs of type (EAN, UPC, ...) and value."""

    asin: str
    marketplace_id: str
    title: str
    product_type: str = "PRODUCT"
    brand: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    classification_id: str | None = None
    classification_name: str | None = None
    image: str | None = None


class ProductCatalog:
    """Products by marketplace and ASIN. A marketplace nobody has put products into knows every ASIN."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, Product]] = {}

    def put(self, product: Product) -> None:
        self.products.setdefault(product.marketplace_id, {})[product.asin] = product

    def is_kept(self, marketplace_id: str) -> bool:
        return marketplace_id in self.products


def find_product(world: "World", marketplace_id: str, asin: str) -> Product | None:
    kept = world.products.products.get(marketplace_id, {}).get(asin)
    return kept or next(_listed(world, marketplace_id, asin.encode(), asin), None)


def products_with(world: "World", marketplace_id: str, kind: str, identifier: str) -> list[Product]:
    """By an identifier other than ASIN and SKU."""
    kept = world.products.products.get(marketplace_id, {}).values()
    found = {one.asin: one for one in kept if (kind, identifier) in one.identifiers}
    for product in _listed(world, marketplace_id, identifier.encode()):
        if (kind, identifier) in product.identifiers:
            found.setdefault(product.asin, product)
    return list(found.values())


def products_named(world: "World", marketplace_id: str, keywords: list[str]) -> list[Product]:
    """Those whose title or brand has every keyword in it."""
    words = [word.casefold() for keyword in keywords for word in keyword.split()]
    kept = world.products.products.get(marketplace_id, {})
    everything = dict(kept)
    for product in _listed(world, marketplace_id, b""):
        everything.setdefault(product.asin, product)
    return [
        one for one in everything.values() if all(word in f"{one.title} {one.brand or ''}".casefold() for word in words)
    ]


def product_of_sku(seller: "Seller", marketplace_id: str, sku: str) -> Product | None:
    listing = seller.catalogue.find(sku)
    state = listing.visible if listing is not None else None
    return None if state is None else _product(state, MARKETPLACES[marketplace_id])


def _listed(world: "World", marketplace_id: str, needle: bytes, asin: str | None = None) -> Iterator[Product]:
    """What sellers list. A listing is decoded only when `needle` stands in its bytes: catalogues are big."""
    marketplace = MARKETPLACES[marketplace_id]
    for seller in world.sellers_of(marketplace.region):
        for listing in seller.catalogue.listings.values():
            state = listing.visible
            if state is not None and marketplace_id in state.marketplace_ids and needle in state.encoded:
                product = _product(state, marketplace)
                if product is not None and asin in (None, product.asin):
                    yield product


def _product(state: Snapshot, marketplace: Marketplace) -> Product | None:
    attributes = state.attributes()
    asin = asin_of(attributes, marketplace)
    if asin is None:
        return None
    title, brand = (value_of(attributes, name, marketplace.marketplace_id) for name in ("item_name", "brand"))
    given = in_marketplace(attributes.get("externally_assigned_product_identifier", ()), marketplace.marketplace_id)
    return Product(
        asin=asin,
        marketplace_id=marketplace.marketplace_id,
        title=title if isinstance(title, str) else asin,
        product_type=state.product_type,
        brand=brand if isinstance(brand, str) else None,
        identifiers=tuple(_identifier(one) for one in given if isinstance(one.get("value"), str)),
    )


def _identifier(instance: dict[str, Any]) -> tuple[str, str]:
    return str(instance.get("type", "gtin")).upper(), instance["value"]
