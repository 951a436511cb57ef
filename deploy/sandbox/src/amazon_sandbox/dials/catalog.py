"""Dials for what Amazon knows of products: the catalogue of a marketplace, and restrictions on listing."""

from typing import Annotated, Any, Literal

import msgspec

from amazon_sandbox.catalog.products import Product
from amazon_sandbox.catalog.restrictions import Restriction
from amazon_sandbox.dials.dial import Dial, DialCall, DialError
from amazon_sandbox.listings.attributes import CONDITION_TYPES
from amazon_sandbox.marketplaces import MARKETPLACES

_Asin = Annotated[str, msgspec.Meta(pattern="^[A-Z0-9]{10}$")]


class NewProduct(msgspec.Struct, forbid_unknown_fields=True):
    asin: _Asin
    title: str
    product_type: str = "PRODUCT"
    brand: str | None = None
    identifiers: dict[str, str] = {}
    classification_id: str | None = None
    classification_name: str | None = None
    image: str | None = None


class Products(msgspec.Struct, forbid_unknown_fields=True):
    marketplace_id: str
    products: list[NewProduct]


class NewRestriction(msgspec.Struct, forbid_unknown_fields=True):
    selling_partner_id: str
    marketplace_id: str
    asin: _Asin
    reason_code: Literal["APPROVAL_REQUIRED", "ASIN_NOT_FOUND", "NOT_ELIGIBLE"] = "APPROVAL_REQUIRED"
    condition_type: str | None = None
    message: str | None = None


def put_products(call: DialCall) -> dict[str, Any]:
    wish = call.read(Products)
    if wish.marketplace_id not in MARKETPLACES:
        raise DialError(f"{wish.marketplace_id} is not a marketplace")
    for new in wish.products:
        fields = msgspec.structs.asdict(new) | {"identifiers": tuple(new.identifiers.items())}
        call.world.products.put(Product(marketplace_id=wish.marketplace_id, **fields))
    return {"products": len(wish.products)}


def restrict(call: DialCall) -> dict[str, Any]:
    wish = call.read(NewRestriction)
    call.seller_in(wish.marketplace_id, wish.selling_partner_id)
    if wish.condition_type is not None and wish.condition_type not in CONDITION_TYPES:
        raise DialError(f"condition_type is one of {', '.join(CONDITION_TYPES)}")
    call.world.restrictions.append(Restriction(**msgspec.structs.asdict(wish)))
    return {"restrictions": len(call.world.restrictions)}


def lift(call: DialCall) -> dict[str, Any]:
    call.world.restrictions.clear()
    return {"restrictions": 0}


DIALS = (
    Dial(
        "POST",
        "/sandbox/products",
        "put products into a marketplace, which then knows no other ASINs but those and the listed ones: "
        '{"marketplace_id", "products": [{"asin", "title", "brand"?, "product_type"?, "identifiers"? {"EAN": ...}, '
        '"classification_id"?, "classification_name"?, "image"?}]}',
        put_products,
    ),
    Dial(
        "POST",
        "/sandbox/restrictions",
        'keep a seller from an ASIN: {"selling_partner_id", "marketplace_id", "asin", "reason_code"? '
        '(APPROVAL_REQUIRED, ASIN_NOT_FOUND, NOT_ELIGIBLE), "condition_type"?, "message"?}',
        restrict,
    ),
    Dial("DELETE", "/sandbox/restrictions", "lift all of them", lift),
)
