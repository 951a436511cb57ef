"""searchOrders and getOrder of Orders 2026-01-01 (FACTS 8.2)."""

from collections.abc import Callable
from typing import NamedTuple

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.clock import DAY_MS, SECOND_MS, iso, parse_iso
from amazon_sandbox.orders.book import AMAZON, MERCHANT, OLDEST_SERVED_MS, STATUSES, Order, is_served
from amazon_sandbox.orders.documents import DATASETS, included_mask, render, roles_mask
from amazon_sandbox.wire import Answer, SpApiError, encode, invalid_input

_MOST_A_PAGE = 100
_MOST_MARKETPLACES = 50
_TWO_MINUTES_MS = 120 * SECOND_MS
_TOKEN_LIFE_MS = DAY_MS
_FILTERS = (
    "createdAfter",
    "createdBefore",
    "lastUpdatedAfter",
    "lastUpdatedBefore",
    "fulfillmentStatuses",
    "marketplaceIds",
    "fulfilledBy",
)


class _Page(NamedTuple):
    """Where a page starts (time, order number) and which moment no page of this search goes beyond."""

    start: tuple[int, int]
    end_ms: int


def get_order(call: Call) -> Answer:
    """`{"order": ...}`. Unlike search it does not lag (PAINS 8)."""
    order = call.seller.orders.orders.get(call.arguments[0])
    included = included_mask(call.many("includedData", DATASETS)) | roles_mask(call.roles)
    if order is None or not is_served(order, call.world.clock.now_ms()):
        raise SpApiError(404, "NotFound", "The order was not found.", call.arguments[0])
    return Answer(200, b'{"order":' + render(order, included, call.world.clock.now_ms()) + b"}")


def search_orders(call: Call) -> Answer:
    """One page, oldest first; orders that changed meanwhile move behind the end and come with the next search."""
    now_ms = call.world.clock.now_ms()
    kind, after_ms, before_ms = _window(call, now_ms)
    limit = call.whole_number("maxResultsPerPage", _MOST_A_PAGE, 1, _MOST_A_PAGE)
    included = included_mask(call.many("includedData", DATASETS)) | roles_mask(call.roles)
    wanted = _wanted(call, now_ms)
    filters = page_tokens.fingerprint([sorted(call.many(name)) for name in _FILTERS])
    page = _page(call.one("paginationToken"), filters, now_ms)
    if page is None:
        lagging_ms = now_ms - round(call.world.settings.search_lag_s * SECOND_MS)
        page = _Page((after_ms, 0), lagging_ms if before_ms is None else min(before_ms, lagging_ms))
    index = call.seller.orders.by_created if kind == "created" else call.seller.orders.by_updated
    orders, next_start = index.page(page.start, page.end_ms, limit, wanted)
    tail: dict[str, object] = {f"{kind}Before": iso(page.end_ms)}
    if next_start is not None:
        tail["pagination"] = {"nextToken": page_tokens.seal([filters, *next_start, page.end_ms, now_ms])}
    # One join: a page of 100 orders is 200 kB, each needless copy of it costs as much as the whole search.
    documents = [render(order, included, now_ms) for order in orders] or [b""]
    documents[0] = b'{"orders":[' + documents[0]
    documents[-1] += b"]," + encode(tail)[1:]
    return Answer(200, b",".join(documents))


def _window(call: Call, now_ms: int) -> tuple[str, int, int | None]:
    """Which time is asked about, from when, and to when if that was said (FACTS 8.2.1)."""
    given = {name: _moment(call, name) for name in _FILTERS[:4] if call.one(name) is not None}
    if ("createdAfter" in given) == ("lastUpdatedAfter" in given):
        raise invalid_input("Exactly one of createdAfter and lastUpdatedAfter must be provided.")
    kind, other = ("created", "lastUpdated") if "createdAfter" in given else ("lastUpdated", "created")
    if f"{other}Before" in given:
        raise invalid_input(f"{other}Before cannot be combined with {kind}After.")
    after_ms, before_ms = given[f"{kind}After"], given.get(f"{kind}Before")
    if before_ms is not None and before_ms < after_ms:
        raise invalid_input(f"{kind}Before must not be earlier than {kind}After.")
    if before_ms is not None and before_ms > now_ms - _TWO_MINUTES_MS:
        raise invalid_input("Invalid Input")  # PAINS 9: Amazon does not say why
    return kind, after_ms, before_ms


def _wanted(call: Call, now_ms: int) -> Callable[[Order], bool] | None:
    """The test of the filters, of age and of what is hidden; None when all orders pass."""
    statuses = set(call.many("fulfillmentStatuses", STATUSES)) or set(STATUSES)
    fulfilled_by = set(call.many("fulfilledBy", (MERCHANT, AMAZON))) or {MERCHANT, AMAZON}
    marketplace_ids = set(call.many("marketplaceIds"))
    if len(marketplace_ids) > _MOST_MARKETPLACES:
        raise invalid_input(f"marketplaceIds takes at most {_MOST_MARKETPLACES}.")
    book = call.seller.orders
    tests: list[Callable[[Order], bool]] = []
    if book.by_created.first_ms < now_ms - OLDEST_SERVED_MS:
        tests.append(lambda order: is_served(order, now_ms))
    if now_ms < book.all_searchable_ms:
        tests.append(lambda order: order.searchable_ms <= now_ms)
    if not marketplace_ids and len(statuses) == len(STATUSES) and len(fulfilled_by) == 2:
        return (lambda order: all(test(order) for test in tests)) if tests else None
    return lambda order: (
        order.status in statuses
        and order.fulfilled_by in fulfilled_by
        and (not marketplace_ids or order.marketplace_id in marketplace_ids)
        and all(test(order) for test in tests)
    )


def _moment(call: Call, name: str) -> int:
    try:
        return parse_iso(call.one(name) or "")
    except ValueError as error:
        raise invalid_input("Invalid Input", f"{name} is not an ISO 8601 time.") from error


def _page(token: str | None, filters: str, now_ms: int) -> _Page | None:
    """Where the token points; it lives 24 hours and holds with the same filters only (FACTS 8.2.2)."""
    if token is None:
        return None
    try:
        sealed_filters, moment_ms, number, end_ms, issued_ms = page_tokens.unseal(token)
    except (ValueError, TypeError) as error:
        raise invalid_input("The paginationToken is not valid.") from error
    if sealed_filters != filters:
        raise invalid_input("The paginationToken belongs to a request with other filters.")
    if now_ms - issued_ms > _TOKEN_LIFE_MS:
        raise invalid_input("The paginationToken has expired.")
    return _Page((moment_ms, number), end_ms)
