"""The OpenAPI document of a service, as it really answers: problems with their stable types where they can come, text
with its limits, ids of operations that stay. FastAPI writes the rest."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import Field

from common.errors import (
    MEDIA_TYPE,
    DatabaseUnavailable,
    Forbidden,
    InvalidRequest,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
    UnreadableBody,
    problem_type,
)
from common.front_door import BodyTooLarge, Busy, RequestTooSlow
from common.idempotency import KeyReused
from common.schemas import Answer
from common.texts import LONGEST_TEXT

_SCHEMAS = "#/components/schemas/"
_NO_NUL = r"^[^\x00]*$"


class ProblemPlace(Answer):
    """One place that is wrong."""

    where: str = Field(description="`body.lines.3.sku`, `query.limit`, `path.order_id`, `header.idempotency-key`")
    detail: str = Field(description="what is wrong there, for people")
    rule: str | None = Field(default=None, description="which rule it breaks, for programs")


class NamedAnswer(Answer):
    """Something by its id and its name."""

    id: UUID
    name: str


class ProblemAnswer(Answer):
    """RFC 9457. Programs tell problems apart by `type`; everything else is for people.

    Further types may be added: treat an unknown one by its `status`.
    """

    type: str
    title: str = Field(description="what this type of problem is")
    status: int
    detail: str | None = Field(default=None, description="what happened this time")
    where: str | None = Field(default=None, description="the place, where it is one")
    fix: str | None = Field(default=None, description="what to do")
    errors: list[ProblemPlace] | None = Field(default=None, description="every place that is wrong")
    code: str | None = Field(default=None, description="the stable code of what was refused, where it has its own")
    connection_id: UUID | None = Field(default=None, description="the connection that stands in the way")
    channel_id: UUID | None = Field(default=None, description="the channel that stands in the way")
    channels: list[NamedAnswer] | None = Field(default=None, description="the channels that stand in the way")
    amazon_code: str | None = Field(default=None, description="Amazon's own code of its refusal")
    amazon_request_id: str | None = Field(default=None, description="Amazon's id of the refused call, for its support")


def problems(*outcomes: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """`responses=problems(ConnectionExists, OtherRegion)`: what an operation can answer beside its success and what
    every operation can answer."""
    answers: dict[int | str, dict[str, Any]] = {}
    for outcome in outcomes:
        _add(answers, outcome)
    return answers


def _add(answers: dict[Any, Any], outcome: type[Problem], key: type[int] | type[str] = int) -> None:
    answer = answers.setdefault(key(outcome.status), {"description": ""})
    content = answer.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": {"$ref": f"{_SCHEMAS}Problem"}})
    examples = content.setdefault("examples", {})
    value = {"type": problem_type(outcome), "title": outcome.title, "status": outcome.status}
    if outcome.fix:
        value["fix"] = outcome.fix
    examples.setdefault(outcome.slug, {"summary": outcome.title, "value": value})
    answer["description"] = "; ".join(dict.fromkeys(str(one["summary"]) for one in examples.values()))
    if issubclass(outcome, Unavailable) or outcome.status == 429:
        seconds = {"schema": {"type": "integer", "minimum": 0}, "description": "Seconds until it is worth another try"}
        answer["headers"] = {"Retry-After": seconds}


def operation_id(route: APIRoute) -> str:
    """The function's name: `create_channel`."""
    return route.name


class ServiceApp(FastAPI):
    """FastAPI whose OpenAPI document says what really comes."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            _complete(super().openapi())
        document: dict[str, Any] = super().openapi()
        return document


def _complete(document: dict[str, Any]) -> None:
    """Makes the document true, in place."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    taken: set[str] = set()
    known: dict[str, Any] = {}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)
            for outcome in _common_outcomes(path, operation):
                _add(answers, outcome, str)
            operation["responses"] = {status: answers[status] for status in sorted(answers)}
            for answer in answers.values():
                known |= _examples_aside(answer)
            for parameter in operation.get("parameters", ()):
                _bound_texts(parameter["schema"])
            for content in operation.get("requestBody", {}).get("content", {}).values():
                taken |= set(_references(content["schema"], schemas))
    for name in taken:
        _bound_texts(schemas[name])
    schemas |= _problem_schemas(sorted(known))
    components["examples"] = {slug: known[slug] for slug in sorted(known)}


def _examples_aside(answer: dict[str, Any]) -> dict[str, Any]:
    """The problems of an answer by their slugs; in the answer, only references to them stay."""
    content = answer.get("content", {}).get(MEDIA_TYPE, {})
    found: dict[str, Any] = content.get("examples", {})
    if found:
        content["examples"] = {slug: {"$ref": f"#/components/examples/{slug}"} for slug in sorted(found)}
    return found


def _common_outcomes(path: str, operation: Mapping[str, Any]) -> Iterator[type[Problem]]:
    yield InvalidRequest
    yield Busy
    if "requestBody" in operation:
        yield BodyTooLarge
        yield RequestTooSlow
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        yield UnreadableBody
    if any("HTTPBearer" in way for way in operation.get("security", ())):
        yield Unauthenticated
        yield Forbidden
        if "{" in path:
            yield NotFound
    if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ())):
        yield KeyReused
    yield Problem
    yield DatabaseUnavailable


def _problem_schemas(slugs: list[str]) -> dict[str, Any]:
    schema = ProblemAnswer.model_json_schema(mode="serialization", ref_template=_SCHEMAS + "{model}")
    parts = schema.pop("$defs")
    schema["title"] = "Problem"
    known = [f"/problems/{slug}" for slug in slugs]
    schema["properties"]["type"] |= {"x-extensible-enum": known, "examples": known[:1]}
    known_schemas: dict[str, Any] = {"Problem": schema} | parts
    return known_schemas


def _references(schema: Any, schemas: Mapping[str, Any], seen: set[str] | None = None) -> set[str]:
    """The names of every component that a schema stands on."""
    seen = set() if seen is None else seen
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).removeprefix(_SCHEMAS)
        if name in schemas and name not in seen:
            seen.add(name)
            _references(schemas[name], schemas, seen)
        for part in schema.values():
            _references(part, schemas, seen)
    elif isinstance(schema, list):
        for part in schema:
            _references(part, schemas, seen)
    return seen


def _bound_texts(schema: Any) -> None:
    """Says of every text that is taken what `Body` and `parameters` hold it to."""
    if isinstance(schema, list):
        for part in schema:
            _bound_texts(part)
    elif isinstance(schema, dict):
        if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format"}:
            schema.setdefault("maxLength", LONGEST_TEXT)
            schema.setdefault("pattern", _NO_NUL)
        for name, part in schema.items():
            if name not in ("examples", "example", "default"):
                _bound_texts(part)
