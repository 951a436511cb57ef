"""FBA Inventory v1: stock in Amazon's warehouses, and the three sandbox-only operations that make it."""

from typing import Annotated, Any

import msgspec

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.clock import SECOND_MS, iso, parse_iso
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer

_ITEMS_A_PAGE = 50
_MOST_SKUS = 50
_TOKEN_LIFE_MS = 30 * SECOND_MS  # PAINS 10


class FbaItem(msgspec.Struct):
    sku: str
    marketplace_id: str
    product_name: str
    asin: str
    quantity: int
    updated_ms: int


class FbaInventory:
    """One seller's stock, by marketplace and SKU; the tokens are those addInventory has seen."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, FbaItem]] = {}
        self.idempotency_tokens: set[str] = set()

    def find(self, marketplace_id: str, sku: str) -> FbaItem | None:
        return self.items.get(marketplace_id, {}).get(sku)

    def put(self, item: FbaItem) -> None:
        self.items.setdefault(item.marketplace_id, {})[item.sku] = item

    def sell(self, marketplace_id: str, sku: str, quantity: int, now_ms: int) -> int:
        """A negative `quantity` gives units back. Returns the units that were there to take."""
        item = self.find(marketplace_id, sku)
        if item is None:
            return 0
        taken = min(quantity, item.quantity)
        item.quantity -= taken
        item.updated_ms = now_ms
        return taken


class CreateInventoryItemRequest(msgspec.Struct, rename="camel"):
    seller_sku: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    marketplace_id: str
    product_name: str


class InventoryItem(msgspec.Struct, rename="camel"):
    seller_sku: str
    marketplace_id: str
    quantity: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class AddInventoryRequest(msgspec.Struct, rename="camel"):
    inventory_items: list[InventoryItem] = []


def get_inventory_summaries(call: Call) -> Answer:
    """`{"payload": {"granularity", "inventorySummaries"}, "pagination"?}`; the nextToken lives 30 seconds."""
    (marketplace_id,) = (one.marketplace_id for one in call.marketplaces(most=1))
    if call.one("granularityType") != "Marketplace" or call.one("granularityId") != marketplace_id:
        raise invalid_input("granularityType is Marketplace, and granularityId the marketplace of marketplaceIds.")
    details = call.one("details")
    if details not in (None, "true", "false"):
        raise invalid_input("details is true or false.")
    now_ms = call.world.clock.now_ms()
    start = _start(call.one("nextToken"), marketplace_id, now_ms)
    found = _matching(call, marketplace_id)
    page = found[start : start + _ITEMS_A_PAGE]
    document: dict[str, Any] = {
        "payload": {
            "granularity": {"granularityType": "Marketplace", "granularityId": marketplace_id},
            "inventorySummaries": [_summary(item, with_details=details == "true") for item in page],
        }
    }
    if start + _ITEMS_A_PAGE < len(found):
        token = page_tokens.seal_to_encode([marketplace_id, start + _ITEMS_A_PAGE, now_ms])
        document["pagination"] = {"nextToken": token}
    return json_answer(document)


def create_inventory_item(call: Call) -> Answer:
    request = _read(call, CreateInventoryItemRequest)
    _own_marketplace(call, request.marketplace_id)
    inventory = call.seller.fba
    if inventory.find(request.marketplace_id, request.seller_sku) is not None:
        raise invalid_input(f"The sellerSku '{request.seller_sku}' is in the inventory already.")
    world = call.world

    def effect() -> None:
        number = sum(len(items) for items in inventory.items.values())
        item = FbaItem(
            request.seller_sku,
            request.marketplace_id,
            request.product_name,
            f"B1{number % 10**8:08d}",
            0,
            world.clock.now_ms(),
        )
        inventory.put(item)

    return json_answer({}, effect=effect)


def delete_inventory_item(call: Call) -> Answer:
    sku, marketplace_id = call.arguments[0], call.one("marketplaceId") or ""
    _own_marketplace(call, marketplace_id)
    inventory = call.seller.fba
    if inventory.find(marketplace_id, sku) is None:
        raise _unknown(sku)

    def effect() -> None:
        inventory.items[marketplace_id].pop(sku, None)

    return json_answer({}, effect=effect)


def add_inventory(call: Call) -> Answer:
    """The same x-amzn-idempotency-token adds once."""
    token = call.request.headers.get(b"x-amzn-idempotency-token", b"").decode("latin-1")
    if not token:
        raise invalid_input("The header x-amzn-idempotency-token is required.")
    request = _read(call, AddInventoryRequest)
    inventory, world = call.seller.fba, call.world
    additions = []
    for one in request.inventory_items:
        item = inventory.find(one.marketplace_id, one.seller_sku)
        if item is None:
            raise _unknown(one.seller_sku)
        additions.append((item, one.quantity))

    def effect() -> None:
        if token in inventory.idempotency_tokens:
            return
        inventory.idempotency_tokens.add(token)
        for item, quantity in additions:
            item.quantity += quantity
            item.updated_ms = world.clock.now_ms()

    return json_answer({}, effect=effect)


def _matching(call: Call, marketplace_id: str) -> list[FbaItem]:
    skus = call.many("sellerSkus") or call.many("sellerSku")
    if len(skus) > _MOST_SKUS:
        raise invalid_input(f"sellerSkus takes at most {_MOST_SKUS}.")
    since_ms = 0
    since = call.one("startDateTime")
    if since is not None:
        try:
            since_ms = parse_iso(since)
        except ValueError as error:
            raise invalid_input("startDateTime is not an ISO 8601 time.") from error
    items = call.seller.fba.items.get(marketplace_id, {}).values()
    return [item for item in items if (not skus or item.sku in skus) and item.updated_ms >= since_ms]


def _start(token: str | None, marketplace_id: str, now_ms: int) -> int:
    if token is None:
        return 0
    try:
        sealed_marketplace_id, start, issued_ms = page_tokens.unseal_encoded(token)
    except (ValueError, TypeError) as error:
        raise invalid_input("The nextToken is not valid.") from error
    if sealed_marketplace_id != marketplace_id or now_ms - issued_ms > _TOKEN_LIFE_MS:
        raise invalid_input("The nextToken has expired.")
    return int(start)


def _summary(item: FbaItem, *, with_details: bool) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "asin": item.asin,
        "fnSku": f"X00{item.asin[-7:]}",
        "sellerSku": item.sku,
        "condition": "NewItem",
        "lastUpdatedTime": iso(item.updated_ms),
        "productName": item.product_name,
        "totalQuantity": item.quantity,
        "stores": [],
    }
    if with_details:
        summary["inventoryDetails"] = {
            "fulfillableQuantity": item.quantity,
            "inboundWorkingQuantity": 0,
            "inboundShippedQuantity": 0,
            "inboundReceivingQuantity": 0,
            "reservedQuantity": {"totalReservedQuantity": 0},
            "unfulfillableQuantity": {"totalUnfulfillableQuantity": 0},
        }
    return summary


def _own_marketplace(call: Call, marketplace_id: str) -> None:
    if marketplace_id not in call.seller.marketplace_ids:
        raise invalid_input(f"Invalid marketplaceId '{marketplace_id}' for this seller in this region.")


def _unknown(sku: str) -> SpApiError:
    return SpApiError(404, "NotFound", f"The sellerSku '{sku}' is not in the inventory.")


def _read(call: Call, shape: type[Any]) -> Any:
    try:
        return msgspec.convert(call.document(), shape)
    except msgspec.ValidationError as error:
        raise invalid_input("Request body does not have the expected shape.", str(error)) from error
