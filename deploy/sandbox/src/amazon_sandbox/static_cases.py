"""Static mode: the answers Amazon publishes in its models (`x-amzn-api-sandbox`), most specific match first (FACTS 11).

A case names the parameters it wants to see, from path, query and body alike; a call that fits several is answered by
the one that names most. What a case asks for is looked at before anything else: `TEST_CASE_400` is no date (11.6).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from amazon_sandbox.wire import Answer, SpApiError, decode, encode, invalid_input

_METHODS = ("get", "put", "post", "patch", "delete")
_BODY = "body"


class Case(NamedTuple):
    """One published answer; `number` counts the cases of the same operation and status."""

    status: int
    number: int
    wanted: dict[str, Any]
    response: Any

    def answer(self) -> Answer:
        empty = self.status == 204 or self.response is None
        return Answer(self.status, b"" if empty else encode(self.response))


class StaticOperation(NamedTuple):
    name: str
    method: str
    template: tuple[str, ...]
    required: tuple[str, ...]
    cases: tuple[Case, ...]

    @property
    def path(self) -> str:
        return "/" + "/".join(self.template)


class Choice(NamedTuple):
    """Which case a dial wants next, where two ask for the same."""

    status: int
    number: int


class StaticCases:
    def __init__(self, folder: Path) -> None:
        """ValueError when there is no model with cases in `folder`."""
        self.operations = tuple(_read(folder))
        if not self.operations:
            raise ValueError(f"{folder} holds no models with x-amzn-api-sandbox cases")

    def route(self, method: str, raw_path: bytes) -> StaticOperation | None:
        """The published operation with cases that this is; fixed segments go before variable ones."""
        segments = _segments(raw_path)
        fitting = [one for one in self.operations if one.method == method and _fits(one.template, segments)]
        return min(fitting, key=lambda one: sum(_is_variable(part) for part in one.template), default=None)

    def answer(
        self, operation: StaticOperation, raw_path: bytes, query_string: bytes, body: bytes, choice: Choice | None
    ) -> Answer:
        """The published answer. Raises SpApiError 400 when no case fits or a required parameter is missing."""
        # A snapshot can bring a choice of other models, which is then none.
        chosen = next((case for case in operation.cases if case[:2] == choice), None)
        if chosen is not None:
            return chosen.answer()
        given: dict[str, Any] = dict(parse_qs(query_string.decode("latin-1"), keep_blank_values=True))
        for part, segment in zip(operation.template, _segments(raw_path), strict=True):
            if _is_variable(part):
                given[part[1:-1]] = unquote(segment)
        if body:
            try:
                given[_BODY] = decode(body)
            except ValueError as error:
                raise invalid_input("Request body is not valid JSON.", str(error)) from error
        missing = [name for name in operation.required if name not in given]
        if missing:
            raise invalid_input("Invalid Input", f"Missing required parameters: {', '.join(missing)}")
        scored = [(score, case) for case in operation.cases if (score := _score(case.wanted, given)) is not None]
        if not scored:
            raise SpApiError(400, "InvalidInput", "Could not match input arguments")
        return max(scored, key=lambda one: one[0])[1].answer()


def _read(folder: Path) -> Iterator[StaticOperation]:
    for file in sorted(folder.rglob("*.json")):
        model = json.loads(file.read_bytes())
        paths = model.get("paths") if isinstance(model, dict) else None
        for path, operations in (paths or {}).items():
            for method in _METHODS:
                cases = tuple(_cases(operations[method])) if method in operations else ()
                if cases:
                    operation = operations[method]
                    parameters = (*operations.get("parameters", ()), *operation.get("parameters", ()))
                    required = tuple(
                        _BODY if one["in"] == "body" else one["name"]
                        for one in parameters
                        if one.get("required") and one["in"] in ("path", "query", "body")
                    )
                    template = tuple(path.lstrip("/").split("/"))
                    yield StaticOperation(operation["operationId"], method.upper(), template, required, cases)


def _cases(operation: Mapping[str, Any]) -> Iterator[Case]:
    for status, response in operation["responses"].items():
        for number, case in enumerate(response.get("x-amzn-api-sandbox", {}).get("static", ())):
            parameters = (case.get("request") or {}).get("parameters") or {}
            wanted = {name: one["value"] for name, one in parameters.items() if "value" in one}
            yield Case(int(status), number, wanted, case.get("response"))


def _segments(raw_path: bytes) -> list[str]:
    return raw_path.decode("latin-1").lstrip("/").split("/")


def _is_variable(part: str) -> bool:
    return part.startswith("{")


def _fits(template: tuple[str, ...], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        _is_variable(part) or part == segment for part, segment in zip(template, segments, strict=True)
    )


def _score(wanted: dict[str, Any], given: dict[str, Any]) -> int | None:
    """How much of the call this case names, or None when the call differs."""
    total = 0
    for name, value in wanted.items():
        if name not in given:
            return None
        score = _body_score(value, given[name]) if name == _BODY else _parameter_score(value, given[name])
        if score is None:
            return None
        total += score + 1
    return total


def _parameter_score(wanted: Any, given: Any) -> int | None:
    """Query parameters come as lists, comma-joined, repeated or both; the order of a list says nothing."""
    values = given if isinstance(given, list) else [given]
    if isinstance(wanted, list):
        return len(wanted) if sorted(map(_text, wanted)) == sorted(",".join(values).split(",")) else None
    return 0 if [_text(wanted)] == values else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body_score(wanted: Any, given: Any) -> int | None:
    """An object may hold more than is wanted, a list may not."""
    if isinstance(wanted, dict):
        if not isinstance(given, dict):
            return None
        pairs = [(value, given[name]) for name, value in wanted.items() if name in given]
        if len(pairs) < len(wanted):
            return None
    elif isinstance(wanted, list):
        if not isinstance(given, list) or len(given) != len(wanted):
            return None
        pairs = list(zip(wanted, given, strict=True))
    else:
        return 1 if wanted == given and isinstance(wanted, bool) == isinstance(given, bool) else None
    total = 1
    for one, other in pairs:
        score = _body_score(one, other)
        if score is None:
            return None
        total += score
    return total
