import time

from listings_service.testing import Shop


async def test_speed(shop: Shop) -> None:
    rows = [[shop.row(f"S{p}-{n}", quantity=1, price="1.00") for n in range(1000)] for p in range(10)]
    t = time.perf_counter()
    for page in rows:
        await shop.upsert(*page)
    print("create rows/s", 10000 / (time.perf_counter() - t))
    t = time.perf_counter()
    for page in rows:
        await shop.upsert(*page)
    print("unchanged rows/s", 10000 / (time.perf_counter() - t))
    ch = [shop.row(f"S{p}-{n}", quantity=2) for p in range(10) for n in range(100)]
    t = time.perf_counter()
    await shop.change(*ch)
    print("change rows/s", 1000 / (time.perf_counter() - t))
    ev = [[shop.inventory(f"S{p}-{n}", quantity=3) for n in range(500)] for p in range(10)]
    t = time.perf_counter()
    for page in ev:
        await shop.deliver(*page)
    print("events/s", 5000 / (time.perf_counter() - t))
