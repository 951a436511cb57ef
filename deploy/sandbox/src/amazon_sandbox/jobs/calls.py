"""What the operations of feeds and reports share: finding one, cancelling one, and lists by filters and pages."""

from functools import partial
from typing import Any, NamedTuple

from amazon_sandbox import page_tokens
from amazon_sandbox.calls import Call
from amazon_sandbox.clock import parse_iso
from amazon_sandbox.jobs.book import JobBook
from amazon_sandbox.jobs.job import IN_QUEUE, KEPT_MS, STATUSES, Job
from amazon_sandbox.roles import roles_for_job
from amazon_sandbox.wire import Answer, SpApiError, invalid_input, unauthorized

_MOST_VALUES = 10
_MOST_A_PAGE = 100
_DEFAULT_PAGE = 10


class Page(NamedTuple):
    jobs: list[Job]
    next_token: str | None

    def document(self, name: str) -> dict[str, Any]:
        """`{name: [...], "nextToken"?}`."""
        document: dict[str, Any] = {name: [job.document() for job in self.jobs]}
        return document if self.next_token is None else {**document, "nextToken": self.next_token}


def refuse_without_role(call: Call, kind: str) -> None:
    """403 for a feed or report of a type that the app's roles do not cover (FACTS 3.8)."""
    if roles_for_job(kind).isdisjoint(call.roles):
        raise unauthorized(f"The application does not have a role that {kind} needs.")


def found(call: Call, book: JobBook, what: str) -> Job:
    """The job of the path. Raises SpApiError 404; after 90 days it is forgotten."""
    job = book.jobs.get(call.arguments[0])
    if job is None or job.created_ms <= call.world.clock.now_ms() - KEPT_MS:
        raise SpApiError(404, "NotFound", f"The {what} was not found.", call.arguments[0])
    return job


def cancel(call: Call, book: JobBook, what: str) -> Answer:
    """200 without a body, only while the job is IN_QUEUE (FACTS 6.2)."""
    job = found(call, book, what)
    if job.status != IN_QUEUE:
        raise invalid_input(f"The {what} is {job.status}; only a {what} that is {IN_QUEUE} can be cancelled.")
    return Answer(200, effect=partial(book.cancel, call.world, call.seller, job))


def page_of(call: Call, book: JobBook, kinds_parameter: str, owner: str) -> Page:
    """Newest first. The token carries the filters: it is the only parameter of the next call.

    `owner` keeps the token of one seller or list from being used for another.
    """
    token = call.one("nextToken")
    if token is not None:
        if set(call.query) != {"nextToken"}:
            raise invalid_input("nextToken is the only parameter of the request that carries it.")
        filters = _unsealed(token, owner)
    else:
        filters = _filters(call, kinds_parameter)
    matching = [job for job in reversed(book.jobs.values()) if _fits(job, filters)]
    size, offset_id = filters["size"], filters.get("after")
    if offset_id is not None:  # ids count up; the job itself may not fit the filters any more
        matching = [job for job in matching if int(job.job_id) < int(offset_id)]
    jobs = matching[:size]
    more = size < len(matching)
    next_token = page_tokens.seal([owner, {**filters, "after": jobs[-1].job_id}]) if more else None
    return Page(jobs, next_token)


def _filters(call: Call, kinds_parameter: str) -> dict[str, Any]:
    kinds = _values(call, kinds_parameter)
    if not kinds:
        raise invalid_input(f"Either {kinds_parameter} or nextToken is required.")
    now_ms = call.world.clock.now_ms()
    return {
        "kinds": kinds,
        "statuses": call.many("processingStatuses", STATUSES),
        "marketplace_ids": _values(call, "marketplaceIds"),
        "since": max(_moment(call, "createdSince", 0), now_ms - KEPT_MS),
        "until": _moment(call, "createdUntil", now_ms),
        "size": call.whole_number("pageSize", _DEFAULT_PAGE, 1, _MOST_A_PAGE),
    }


def _fits(job: Job, filters: dict[str, Any]) -> bool:
    return (
        job.kind in filters["kinds"]
        and (not filters["statuses"] or job.status in filters["statuses"])
        and (not filters["marketplace_ids"] or not set(job.marketplace_ids).isdisjoint(filters["marketplace_ids"]))
        and filters["since"] <= job.created_ms <= filters["until"]
    )


def _values(call: Call, name: str) -> list[str]:
    values = call.many(name)
    if len(values) > _MOST_VALUES:
        raise invalid_input(f"{name} takes at most {_MOST_VALUES}.")
    return values


def _moment(call: Call, name: str, default: int) -> int:
    text = call.one(name)
    if text is None:
        return default
    try:
        return parse_iso(text)
    except ValueError as error:
        raise invalid_input(f"{name} is not an ISO 8601 time.") from error


def _unsealed(token: str, owner: str) -> dict[str, Any]:
    try:
        sealed_owner, filters = page_tokens.unseal(token)
    except (ValueError, TypeError) as error:
        raise invalid_input("The nextToken is not valid.") from error
    if sealed_owner != owner:
        raise invalid_input("The nextToken belongs to another list.")
    kept: dict[str, Any] = filters
    return kept
