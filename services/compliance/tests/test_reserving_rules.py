"""The pure rules of reservations as tables: what is open, what goes back, what left; units are never made or lost."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from common.contracts.orders import FulfillmentLine, FulfillmentShipped
from compliance_service.reserving import (
    NOBODY,
    OrderedLine,
    Reservation,
    State,
    close_all,
    note_elsewhere,
    open_lines,
    refuse,
    release_excess,
    ship,
    withdraw,
)

T0 = datetime(2026, 5, 1, 12, tzinfo=UTC)
ONE, OTHER, PARCEL, ACCOUNT = UUID(int=1), UUID(int=2), UUID(int=9), UUID(int=7)


def promise(
    quantity: int, *, item: str = "1", source: UUID = ONE, version: int = 1, state: State = "held", number: int = 1
) -> Reservation:
    closed = None if state == "held" else T0
    return Reservation(UUID(int=number), version, source, item, "A", quantity, state, T0, closed)


def told(reservations: list[Reservation]) -> list[tuple[str, int, UUID]]:
    return [(one.state, one.quantity, one.source_id) for one in reservations]


def line(quantity: int, *, item: str = "1", fulfilled: int = 0) -> OrderedLine:
    return OrderedLine(item, "A", quantity, fulfilled)


def open_units(lines: list[OrderedLine], reservations: list[Reservation]) -> dict[str, int]:
    return {one.order_item_id: one.quantity for one in open_lines(lines, reservations)}


def test_open_is_what_is_neither_gone_nor_promised_nor_given_up() -> None:
    assert open_units([line(5)], []) == {"1": 5}
    assert open_units([line(5)], [promise(2), promise(1)]) == {"1": 2}
    assert open_units([line(5)], [promise(1, state="killed")]) == {"1": 4}
    assert open_units([line(5)], [promise(4, state="released"), promise(4, state="refused")]) == {"1": 5}
    assert open_units([line(5)], [promise(5)]) == {}
    assert open_units([line(5)], [promise(4, item="2")]) == {"1": 5}
    # Amazon counts our own parcels too, and lags behind them.
    assert open_units([line(5, fulfilled=1)], [promise(2, state="shipped")]) == {"1": 3}
    assert open_units([line(5, fulfilled=3)], [promise(1, state="shipped"), promise(1, state="shipped")]) == {"1": 2}


def test_of_fewer_units_the_newest_promise_goes_back_first() -> None:
    older, newer = promise(2, version=1), promise(2, version=2, source=OTHER)
    kept = [older, newer]
    release_excess([line(1)], kept, T0)
    assert told(kept) == [("held", 1, ONE), ("released", 2, OTHER), ("released", 1, ONE)]
    assert (older.changed, older.new, newer.changed, newer.closed_at) == (True, False, True, T0)
    assert (kept[2].new, kept[2].changed, kept[2].closed_at) == (True, False, T0)


def test_no_more_goes_back_than_is_too_much() -> None:
    enough = [promise(3)]
    release_excess([line(3)], enough, T0)
    assert told(enough) == [("held", 3, ONE)]
    assert not enough[0].changed
    # What has left counts, what was given up does not, and an item that was taken out leaves its promise to its close.
    mixed = [promise(2, state="shipped"), promise(5, state="killed"), promise(2, source=OTHER)]
    release_excess([line(3)], mixed, T0)
    assert told(mixed) == [("shipped", 2, ONE), ("killed", 5, ONE), ("held", 1, OTHER), ("released", 1, OTHER)]
    two = [promise(2), promise(2, item="2")]
    release_excess([line(1), line(2, item="2"), line(9, item="3")], two, T0)
    assert told(two) == [("held", 1, ONE), ("held", 2, ONE), ("released", 1, ONE)]


def test_what_amazon_counts_beyond_ours_left_elsewhere() -> None:
    kept = [promise(1), promise(1, state="shipped"), promise(1, state="killed"), promise(3, item="2")]
    note_elsewhere([line(9), line(9, fulfilled=2)], kept, T0)
    assert len(kept) == 4
    note_elsewhere([line(9, fulfilled=5)], kept, T0)
    noted = kept[-1]
    assert told(kept[4:]) == [("shipped", 3, NOBODY)]
    assert (noted.order_item_id, noted.sku, noted.decision_version, noted.new) == ("1", "A", 0, True)
    assert (noted.reserved_at, noted.closed_at) == (T0, T0)


def test_a_closed_order_keeps_no_promise() -> None:
    for shipped, state in ((True, "shipped"), (False, "released")):
        kept = [promise(1), promise(2, state="killed")]
        close_all(kept, T0, shipped=shipped)
        assert told(kept) == [(state, 1, ONE), ("killed", 2, ONE)]


def test_a_decision_that_is_not_followed_gives_back_its_own_only() -> None:
    kept = [promise(1, version=1), promise(1, version=2), promise(1, version=1, state="refused")]
    withdraw(kept, 1, T0)
    assert [one.state for one in kept] == ["released", "held", "refused"]


def test_a_source_refuses_its_own_part_of_its_decision_only() -> None:
    for kill, state in ((True, "killed"), (False, "refused")):
        kept = [promise(1), promise(1, source=OTHER), promise(1, version=2), promise(1, state="shipped", source=ONE)]
        refuse(kept, 1, ONE, kill=kill, at=T0)
        # The last one left with its order, untold: its source may still say that it did not.
        assert [one.state for one in kept] == [state, "held", "held", state]
    gone = [promise(1, state="shipped", source=NOBODY)]
    refuse(gone, 1, NOBODY, kill=False, at=T0)
    assert gone[0].state == "shipped"


def parcel(quantity: int, *, source: UUID | None = ONE, version: int | None = 1, item: str = "1") -> FulfillmentShipped:
    return FulfillmentShipped.model_validate(
        {
            "account_id": ACCOUNT,
            "selling_partner_id": "S",
            "amazon_order_id": "O-1",
            "channel_id": ACCOUNT,
            "fulfillment_request_id": None,
            "shipment_id": PARCEL,
            "source_id": source,
            "decision_version": version,
            "lines": [FulfillmentLine(order_item_id=item, sku="A", quantity=quantity).model_dump()],
            "shipped_at": T0 - timedelta(hours=1),
        }
    )


def test_a_parcel_takes_the_very_promise_first_and_notes_what_nobody_promised() -> None:
    kept = [promise(2, version=2, number=3), promise(2, source=OTHER, number=2), promise(2, number=1)]
    ship(kept, parcel(2), T0)
    assert [one.state for one in kept] == ["held", "held", "shipped"]
    assert (kept[2].shipment_id, kept[2].closed_at) == (PARCEL, T0 - timedelta(hours=1))
    ship(kept, parcel(2), T0)  # told again
    assert [one.state for one in kept] == ["held", "held", "shipped"]


def test_a_parcel_of_a_part_leaves_the_rest_promised() -> None:
    kept = [promise(5)]
    ship(kept, parcel(2), T0)
    assert told(kept) == [("held", 3, ONE), ("shipped", 2, ONE)]
    assert (kept[0].changed, kept[1].new, kept[1].changed, kept[1].shipment_id) == (True, True, False, PARCEL)


def test_a_parcel_of_another_source_frees_the_one_that_was_planned() -> None:
    kept = [promise(2, source=OTHER)]
    ship(kept, parcel(2), T0)
    assert told(kept) == [("released", 2, OTHER), ("shipped", 2, ONE)]


def test_more_than_was_promised_left_all_the_same() -> None:
    kept = [promise(1)]
    ship(kept, parcel(3, version=None), T0)
    assert told(kept) == [("shipped", 1, ONE), ("shipped", 2, ONE)]
    assert (kept[1].decision_version, kept[1].shipment_id, kept[1].new) == (0, PARCEL, True)
    unknown: list[Reservation] = []
    ship(unknown, parcel(1, source=None, version=4), T0)
    assert told(unknown) == [("shipped", 1, NOBODY)]
    assert unknown[0].decision_version == 4
