"""The service as a whole: its settings and its lists."""

import pytest

from orders_service.settings import OrdersSettings
from orders_service.testing import Shop


def test_delays_are_read_from_one_line_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {
        "DATABASE_URL": "postgresql://u@h/d",
        "KAFKA_BOOTSTRAP_SERVERS": "h:1",
        "AUTH_URL": "http://h",
        "SERVICE_KEY": "k",
        "KEY_RING": "a:b",
        "CONFIRM_READ_BACK_DELAYS": "0.3, 1,5",
    }
    for name, value in needed.items():
        monkeypatch.setenv(name, value)
    assert OrdersSettings().confirm_read_back_delays == (0.3, 1.0, 5.0)


async def test_lists_are_paged_by_cursor_without_gap_or_repeat(shop: Shop) -> None:
    placed = await shop.place(*[{} for _ in range(5)])
    await shop.get_orders()
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = await shop.call("GET", "/v1/orders", limit=2, cursor=cursor)
        found += [order["amazon_order_id"] for order in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert sorted(found) == sorted(placed)
