"""Report schedules: one for each type and set of marketplaces, each making a report every period (FACTS section 7)."""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from amazon_sandbox.calls import Call
from amazon_sandbox.clock import DAY_MS, HOUR_MS, SECOND_MS, iso, parse_iso
from amazon_sandbox.reports.operations import FIRST_REPORT_ID, MarketplaceIds, refuse_impossible_type
from amazon_sandbox.reports.report import Report
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, json_answer

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World

_MINUTE_MS = 60 * SECOND_MS
_MOST_TYPES = 10
_MOST_MISSED = 100  # a clock that jumps over more periods leaves the oldest out

PERIODS_MS = {
    "PT5M": 5 * _MINUTE_MS,
    "PT15M": 15 * _MINUTE_MS,
    "PT30M": 30 * _MINUTE_MS,
    "PT1H": HOUR_MS,
    "PT2H": 2 * HOUR_MS,
    "PT4H": 4 * HOUR_MS,
    "PT8H": 8 * HOUR_MS,
    "PT12H": 12 * HOUR_MS,
    "P1D": DAY_MS,
    "P2D": 2 * DAY_MS,
    "P3D": 3 * DAY_MS,
    "PT84H": 84 * HOUR_MS,
    "P7D": 7 * DAY_MS,
    "P14D": 14 * DAY_MS,
    "P15D": 15 * DAY_MS,
    "P18D": 18 * DAY_MS,
    "P30D": 30 * DAY_MS,
    "P1M": 30 * DAY_MS,
}


class ScheduleSpecification(msgspec.Struct, rename="camel"):
    report_type: str
    marketplace_ids: MarketplaceIds
    period: str
    report_options: dict[str, str] | None = None
    next_report_creation_time: str | None = None


class Schedule(msgspec.Struct, eq=False):
    schedule_id: str
    report_type: str
    marketplace_ids: tuple[str, ...]
    options: dict[str, str]
    period: str
    next_ms: int
    cancelled: bool = False

    def document(self) -> dict[str, Any]:
        """The model's `ReportSchedule`."""
        document: dict[str, Any] = {
            "reportScheduleId": self.schedule_id,
            "reportType": self.report_type,
            "marketplaceIds": self.marketplace_ids,
            "period": self.period,
            "nextReportCreationTime": iso(self.next_ms),
        }
        return {**document, "reportOptions": self.options} if self.options else document


class Due(NamedTuple):
    """The next report of a schedule."""

    seller: "Seller"
    schedule: Schedule

    def take_place(self, world: "World") -> None:
        schedule = self.schedule
        if schedule.cancelled:
            return
        period_ms = PERIODS_MS[schedule.period]
        missed = (world.clock.now_ms() - schedule.next_ms) // period_ms
        schedule.next_ms += max(missed - _MOST_MISSED, 0) * period_ms
        report = Report(
            job_id=str(FIRST_REPORT_ID + world.next_job_number()),
            kind=schedule.report_type,
            marketplace_ids=schedule.marketplace_ids,
            created_ms=schedule.next_ms,
            options=schedule.options,
            start_ms=schedule.next_ms - period_ms,
            end_ms=schedule.next_ms,
            schedule_id=schedule.schedule_id,
        )
        self.seller.reports.submit(world, self.seller, report)
        schedule.next_ms += period_ms
        world.at(schedule.next_ms, self)


def create_report_schedule(call: Call) -> Answer:
    """201 `{"reportScheduleId"}`; one of the same type and marketplaces is replaced."""
    wish = call.read(ScheduleSpecification)
    world, now_ms = call.world, call.world.clock.now_ms()
    refuse_impossible_type(call, wish.report_type)
    call.own_marketplaces(wish.marketplace_ids)
    if wish.period not in PERIODS_MS:
        raise invalid_input(f"period is one of {', '.join(PERIODS_MS)}.")
    schedule = Schedule(
        schedule_id=str(FIRST_REPORT_ID + world.next_job_number()),
        report_type=wish.report_type,
        marketplace_ids=tuple(dict.fromkeys(wish.marketplace_ids)),
        options=wish.report_options or {},
        period=wish.period,
        next_ms=_first_ms(wish, now_ms),
    )
    return json_answer({"reportScheduleId": schedule.schedule_id}, 201, partial(_start, world, call.seller, schedule))


def get_report_schedule(call: Call) -> Answer:
    return json_answer(_found(call).document())


def get_report_schedules(call: Call) -> Answer:
    kinds = call.many("reportTypes")
    if not 1 <= len(kinds) <= _MOST_TYPES:
        raise invalid_input(f"reportTypes takes 1 to {_MOST_TYPES} values.")
    schedules = [one.document() for one in call.seller.schedules.values() if one.report_type in kinds]
    return json_answer({"reportSchedules": schedules})


def cancel_report_schedule(call: Call) -> Answer:
    """200 without a body."""
    return Answer(200, effect=partial(_stop, call.seller, _found(call)))


def _start(world: "World", seller: "Seller", schedule: Schedule) -> None:
    for other in list(seller.schedules.values()):
        same = other.report_type == schedule.report_type and set(other.marketplace_ids) == set(schedule.marketplace_ids)
        if same:
            _stop(seller, other)
    seller.schedules[schedule.schedule_id] = schedule
    world.at(schedule.next_ms, Due(seller, schedule))


def _stop(seller: "Seller", schedule: Schedule) -> None:
    schedule.cancelled = True
    del seller.schedules[schedule.schedule_id]


def _found(call: Call) -> Schedule:
    schedule = call.seller.schedules.get(call.arguments[0])
    if schedule is None:
        raise SpApiError(404, "NotFound", "The report schedule was not found.", call.arguments[0])
    return schedule


def _first_ms(wish: ScheduleSpecification, now_ms: int) -> int:
    """When the first report is made: at the time that was named, or now."""
    if wish.next_report_creation_time is None:
        return now_ms
    try:
        return max(parse_iso(wish.next_report_creation_time), now_ms)
    except ValueError as error:
        raise invalid_input("nextReportCreationTime is not an ISO 8601 time.") from error
