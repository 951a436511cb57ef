"""The base of all events and their CloudEvents 1.0 envelope (structured mode, JSON)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common import clock

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"

Quantity = Annotated[int, Field(ge=0, le=2_147_483_647)]
OrderedQuantity = Annotated[int, Field(ge=1, le=2_147_483_647)]
# Amazon's ceiling; compared byte for byte (MISSION rulings).
Sku = Annotated[str, Field(min_length=1, max_length=40)]


class Contract(BaseModel):
    """A frozen part of an event. Unknown fields of a newer writer are ignored, so adding an optional one is safe."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Contract):
    """An amount in an ISO 4217 currency; never summed across currencies."""

    amount: Decimal
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Event(Contract):
    """Something that happened, in the past tense. The class name is the CloudEvents type."""

    TOPIC: ClassVar[str]
    VERSION: ClassVar[int] = 1

    account_id: UUID

    def key(self) -> str:
        """What orders this event on its topic: events of one key are read in the order they were written."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Received:
    """One event as a consumer sees it: its id (the inbox's key), the event and when it was announced."""

    id: UUID
    event: Event
    time: datetime
    correlation_id: str | None = None


class MalformedEvent(ValueError):
    """The message is no CloudEvent we can read; its text says why and holds no value of the message."""


class UnknownEvent(ValueError):
    """A well-formed event of a type or version this build does not know; a consumer passes it by."""


class _Envelope(msgspec.Struct):
    id: str
    type: str
    source: str
    specversion: str
    data: msgspec.Raw
    time: datetime | None = None
    dataschema: str | None = None
    entrepotaccount: str | None = None
    correlationid: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Envelope)


def schema_uri(event_type: type[Event]) -> str:
    """The `dataschema` of an event: its name and version, resolvable in docs/events/."""
    return f"urn:entrepot:event:{event_type.__name__}:{event_type.VERSION}"


def encode(event: Event, *, event_id: UUID, source: str, correlation_id: str | None = None) -> bytes:
    """The CloudEvent as it goes on the topic."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event_id),
        "source": f"urn:entrepot:{source}",
        "type": type(event).__name__,
        "dataschema": schema_uri(type(event)),
        "datacontenttype": "application/json",
        "time": clock.now(),
        "entrepotaccount": str(event.account_id),
        "data": msgspec.Raw(event.model_dump_json().encode()),
    }
    if correlation_id:
        envelope["correlationid"] = correlation_id
    return _encoder.encode(envelope)


def decode(message: bytes, known: Mapping[tuple[str, int], type[Event]]) -> Received:
    """Reads one message.

    Raises `UnknownEvent` for a type or version not in `known`, `MalformedEvent` for anything that is not a CloudEvent
    with the fields its type requires. A missing `dataschema` (foreign producers) means version 1.
    """
    try:
        envelope = _decoder.decode(message)
        event_id = UUID(envelope.id)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedEvent(f"not a CloudEvent: {error}") from None
    if envelope.specversion != "1.0":
        raise MalformedEvent("specversion must be 1.0")
    version = 1
    if envelope.dataschema:
        tail = envelope.dataschema.rsplit(":", 1)[-1]
        version = int(tail) if tail.isdigit() else 1
    event_type = known.get((envelope.type, version))
    if event_type is None:
        raise UnknownEvent(f"{envelope.type} version {version}")
    try:
        event = event_type.model_validate_json(bytes(envelope.data))
    except ValidationError as error:
        # Locations and rules only: the values may be personal data.
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg']}" for e in error.errors(include_input=False)
        )
        raise MalformedEvent(f"{envelope.type}: {problems}") from None
    if envelope.entrepotaccount not in (None, str(event.account_id)):
        raise MalformedEvent("entrepotaccount differs from data.account_id")
    return Received(event_id, event, envelope.time or clock.now(), envelope.correlationid)
