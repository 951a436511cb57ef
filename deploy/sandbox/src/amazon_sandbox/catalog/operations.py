"""searchCatalogItems and getCatalogItem of Catalog Items 2022-04-01."""

from collections import Counter
from typing import Any

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.catalog.products import (
    Product,
    find_product,
    product_of_sku,
    products_named,
    products_with,
)
from amazon_sandbox.listings.operations import own_listings_only
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer

_DATA_SETS = (
    "attributes",
    "classifications",
    "dimensions",
    "identifiers",
    "images",
    "productTypes",
    "relationships",
    "salesRanks",
    "summaries",
    "vendorDetails",
)
_IDENTIFIER_TYPES = ("ASIN", "EAN", "GTIN", "ISBN", "JAN", "MINSAN", "SKU", "UPC")
_MOST_IDENTIFIERS = _MOST_KEYWORDS = 20
_DEFAULT_PAGE, _MOST_A_PAGE = 10, 20
_MOST_RESULTS = 1000
_FILTERS = (
    "identifiers",
    "identifiersType",
    "marketplaceIds",
    "keywords",
    "brandNames",
    "classificationIds",
    "sellerId",
)


def get_catalog_item(call: Call) -> Answer:
    asin, marketplace_ids = call.arguments[0], call.regional_marketplace_ids()
    included = call.many("includedData", _DATA_SETS) or ["summaries"]
    found = [find_product(call.world, marketplace_id, asin) for marketplace_id in marketplace_ids]
    products = [product for product in found if product is not None]
    if not products:
        asked = ", ".join(marketplace_ids)
        raise SpApiError(404, "NOT_FOUND", f"Requested item '{asin}' not found in marketplace(s) {asked}.")
    return json_answer(_item(products, included))


def search_catalog_items(call: Call) -> Answer:
    """By identifiers or by keywords, never both; at most 1000 results can be paged."""
    (marketplace_id,) = call.regional_marketplace_ids(most=1)
    included = call.many("includedData", _DATA_SETS) or ["summaries"]
    page_size = call.whole_number("pageSize", _DEFAULT_PAGE, 1, _MOST_A_PAGE)
    filters = page_tokens.fingerprint([call.many(name) for name in _FILTERS])
    start = page_tokens.start_of_page("pageToken", call.one("pageToken"), filters)
    products = _found(call, marketplace_id)
    pageable = products[:_MOST_RESULTS]
    page = pageable[start : start + page_size]
    document: dict[str, Any] = {
        "numberOfResults": len(products),
        "items": [_item([product], included) for product in page],
    }
    pagination = {}
    if start + page_size < len(pageable):
        pagination["nextToken"] = page_tokens.seal([filters, start + page_size])
    if start > 0:
        pagination["previousToken"] = page_tokens.seal([filters, max(start - page_size, 0)])
    if pagination:
        document["pagination"] = pagination
    if call.many("keywords"):
        document["refinements"] = _refinements(products)
    return json_answer(document)


def _found(call: Call, marketplace_id: str) -> list[Product]:
    identifiers, keywords = call.many("identifiers"), call.many("keywords")
    if bool(identifiers) == bool(keywords):
        raise invalid_input("Exactly one of identifiers and keywords must be provided.")
    if len(identifiers) > _MOST_IDENTIFIERS or len(keywords) > _MOST_KEYWORDS:
        raise invalid_input("identifiers and keywords take at most 20.")
    if keywords:
        return _by_keywords(call, marketplace_id, keywords)
    if call.many("brandNames") or call.many("classificationIds"):
        raise invalid_input("brandNames and classificationIds go with keywords only.")
    kinds = call.many("identifiersType", _IDENTIFIER_TYPES)
    if len(kinds) != 1:
        raise invalid_input("identifiers and identifiersType go together.")
    found: dict[str, Product] = {}
    for identifier in dict.fromkeys(identifiers):
        for product in _identified(call, marketplace_id, kinds[0], identifier):
            found.setdefault(product.asin, product)
    return list(found.values())


def _identified(call: Call, marketplace_id: str, kind: str, identifier: str) -> list[Product]:
    if kind == "SKU":
        seller_id = call.one("sellerId")
        if seller_id is None:
            raise invalid_input("sellerId is required when identifiersType is SKU.")
        own_listings_only(call, seller_id)
        product = product_of_sku(call.seller, marketplace_id, identifier)
        return [product] if product is not None else []
    if kind == "ASIN":
        product = find_product(call.world, marketplace_id, identifier)
        return [product] if product is not None else []
    return products_with(call.world, marketplace_id, kind, identifier)


def _by_keywords(call: Call, marketplace_id: str, keywords: list[str]) -> list[Product]:
    brands, classifications = set(call.many("brandNames")), set(call.many("classificationIds"))
    return [
        product
        for product in products_named(call.world, marketplace_id, keywords)
        if (not brands or product.brand in brands)
        and (not classifications or product.classification_id in classifications)
    ]


def _refinements(products: list[Product]) -> dict[str, Any]:
    brands = Counter(product.brand for product in products if product.brand is not None)
    kinds = Counter(
        (product.classification_id, product.classification_name or product.classification_id)
        for product in products
        if product.classification_id is not None
    )
    return {
        "brands": [{"numberOfResults": count, "brandName": brand} for brand, count in brands.most_common()],
        "classifications": [
            {"numberOfResults": count, "displayName": name, "classificationId": classification_id}
            for (classification_id, name), count in kinds.most_common()
        ],
    }


def _item(products: list[Product], included: list[str]) -> dict[str, Any]:
    """The model's `Item`: one ASIN, with a part for each marketplace in each data set."""
    document: dict[str, Any] = {"asin": products[0].asin}
    for name in included:
        if name == "attributes":
            document[name] = _attributes(products)
        else:
            document[name] = [{"marketplaceId": one.marketplace_id, **_part(one, name)} for one in products]
    return document


def _part(product: Product, name: str) -> dict[str, Any]:
    """What one data set says in one marketplace; what nobody told this Amazon is empty."""
    if name == "summaries":
        summary = {"itemName": product.title, "itemClassification": "BASE_PRODUCT"}
        if product.brand is not None:
            summary["brand"] = product.brand
        return {**summary, **_browse(product)}
    if name == "identifiers":
        pairs = [{"identifierType": kind, "identifier": value} for kind, value in product.identifiers]
        return {"identifiers": pairs}
    if name == "images":
        image = {"variant": "MAIN", "link": product.image, "height": 500, "width": 500}
        return {"images": [image] if product.image is not None else []}
    if name == "productTypes":
        return {"productType": product.product_type}
    if name == "classifications":
        browse = _browse(product)
        return {"classifications": list(browse.values())}
    if name == "relationships":
        return {"relationships": []}
    return {}


def _browse(product: Product) -> dict[str, Any]:
    if product.classification_id is None:
        return {}
    name = product.classification_name or product.classification_id
    return {"browseClassification": {"displayName": name, "classificationId": product.classification_id}}


def _attributes(products: list[Product]) -> dict[str, Any]:
    attributes: dict[str, list[dict[str, str]]] = {}
    for product in products:
        for name, value in (("item_name", product.title), ("brand", product.brand)):
            if value is not None:
                attributes.setdefault(name, []).append({"value": value, "marketplace_id": product.marketplace_id})
    return attributes
