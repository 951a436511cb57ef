"""Golden messages: what is on the topics must stay readable. A changed snapshot is a broken reader."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from pydantic import BaseModel
from syrupy.assertion import SnapshotAssertion

from common.contracts.catalogue import EVENTS, TOPICS
from common.contracts.event import Event, decode, encode

MOMENT = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = UUID("00000000-0000-4000-8000-000000000000")


def example(kind: Any, name: str = "") -> Any:
    """A value of a field's type; every optional field is filled, so that the golden message shows all of them."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType, Annotated):
        return example(arguments[0], name)
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return (example(arguments[0], name),)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind(**{field: example(info.annotation, field) for field, info in kind.model_fields.items()})
    if name == "currency":
        return "USD"
    values = {str: name or "text", int: 3, bool: True, UUID: IDS, datetime: MOMENT, Decimal: Decimal("19.99")}
    return values[kind]


@pytest.mark.row("E3")
@pytest.mark.parametrize(("name", "version"), sorted(EVENTS))
def test_the_golden_message_of_an_event_stays(name: str, version: int, snapshot: SnapshotAssertion) -> None:
    event: Event = example(EVENTS[name, version])
    message = encode(event, event_id=IDS, source="golden", correlation_id="c-1")
    assert decode(message, EVENTS).event == event
    document = json.loads(message)
    document.pop("time")
    assert {"key": event.key(), "topic": event.TOPIC, "message": document} == snapshot


@pytest.mark.row("E3")
def test_every_event_is_on_a_topic_of_the_catalogue_and_says_what_happened() -> None:
    topics = {topic.name for topic in TOPICS}
    assert [event.__name__ for event in EVENTS.values() if event.TOPIC not in topics] == []
    assert [event.__name__ for event in EVENTS.values() if not (event.__doc__ or "").strip()] == []


@pytest.mark.row("C9")
def test_no_event_has_a_field_for_a_buyers_data() -> None:
    personal = ("buyer", "recipient", "phone", "email", "gift", "address_line", "postal")
    fields = {
        (event.__name__, field)
        for event in EVENTS.values()
        if not event.TOPIC.endswith("connections")
        for field in json.dumps(event.model_json_schema()).lower().split('"')
        if any(word in field for word in personal) and " " not in field
    }
    assert fields == set()


def test_a_field_that_a_newer_writer_adds_is_no_obstacle() -> None:
    event: Event = example(EVENTS["OrderImported", 1])
    document = json.loads(encode(event, event_id=IDS, source="golden"))
    document["data"]["added_later"] = 1
    assert decode(json.dumps(document).encode(), EVENTS).event == event
