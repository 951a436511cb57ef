"""The base of all events and their CloudEvents 1.0 envelope (structured mode, JSON)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid5

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common import clock

# Far above what ids of ours and Amazon's make up, and well within what an index holds.
LONGEST_KEY = 500
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
    """One event as a consumer sees it: the inbox's key of its source and id, the event and when it was announced."""

    id: UUID
    event: Event
    time: datetime
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What can be read of a message that is refused: for its sender to find it by."""

    event_type: str | None = None
    event_id: str | None = None
    account_id: UUID | None = None


class MalformedEvent(ValueError):
    """The message is no CloudEvent we can read; its text says why and holds no value of the message."""

    def __init__(self, reason: str, about: About | None = None) -> None:
        super().__init__(reason)
        self.about = about or About()


class UnknownEvent(ValueError):
    """An event of a type or version that this reader does not handle; a consumer passes it by."""


class _Envelope(msgspec.Struct):
    id: str
    type: str
    source: str
    specversion: str
    data: msgspec.Raw
    time: datetime | None = None
    dataschema: str | None = None
    datacontenttype: str | None = None
    entrepotaccount: str | None = None
    correlationid: str | None = None


# What an id and its source are one name of (CloudEvents: "source + id is unique for each distinct event").
_NAMES = UUID("2b1b6f0a-6c1e-5d0c-9a53-1f6a0f3c7e11")
_BINARY = "ce_"
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


def decode(
    message: bytes, known: Mapping[tuple[str, int], type[Event]], headers: Mapping[str, str] | None = None
) -> Received:
    """Reads one message in CloudEvents' structured mode, or in binary mode when its headers say so.

    Raises `UnknownEvent` for a type or version not in `known`, whatever else is wrong with it: it is another reader's.
    Raises `MalformedEvent` for anything that is not a CloudEvent with the fields its type requires, and for text that
    no database holds. A missing `dataschema` (foreign producers) means version 1.
    """
    binary = headers is not None and f"{_BINARY}specversion" in headers
    try:
        envelope = _of_headers(headers, message) if binary and headers is not None else _decoder.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        about, version = _glimpse(message)
        if about.event_type is not None and (about.event_type, version) not in known:
            raise UnknownEvent(f"{about.event_type} version {version}") from None
        what = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise MalformedEvent(f"not a CloudEvent: {what}", about) from None
    version = _version(envelope.dataschema)
    event_type = known.get((envelope.type, version))
    if event_type is None:
        raise UnknownEvent(f"{envelope.type} version {version}")
    about = About(envelope.type, envelope.id[:200], _uuid(envelope.entrepotaccount))
    if envelope.specversion != "1.0":
        raise MalformedEvent("specversion must be 1.0", about)
    if not envelope.id or not envelope.source:
        raise MalformedEvent("id and source must not be empty", about)
    if "json" not in (envelope.datacontenttype or "json").lower():
        raise MalformedEvent("datacontenttype must be application/json", about)
    data = bytes(envelope.data)
    try:
        event = event_type.model_validate_json(data)
    except ValidationError as error:
        # Locations and rules only: the values may be personal data.
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg']}" for e in error.errors(include_input=False)
        )
        seen = About(envelope.type, envelope.id[:200], _account_in(_object(data)) or about.account_id)
        raise MalformedEvent(f"{envelope.type}: {problems}", seen) from None
    about = About(envelope.type, envelope.id[:200], event.account_id)
    if b"\\u0000" in data and (place := _nul_in(event.model_dump())):
        raise MalformedEvent(f"{envelope.type}: {place}: text must not hold U+0000", about)
    if len(event.key()) > LONGEST_KEY:
        raise MalformedEvent(f"{envelope.type}: its key is longer than {LONGEST_KEY} characters", about)
    if envelope.entrepotaccount not in (None, str(event.account_id)):
        raise MalformedEvent("entrepotaccount differs from data.account_id", about)
    named = uuid5(_NAMES, f"{len(envelope.source)}:{envelope.source}{envelope.id}")
    return Received(named, event, envelope.time or clock.now(), envelope.correlationid)


def _of_headers(headers: Mapping[str, str], data: bytes) -> _Envelope:
    """Binary mode: the attributes are headers, the value is the data."""
    told = {name.removeprefix(_BINARY): value for name, value in headers.items() if name.startswith(_BINARY)}
    if "content-type" in headers:
        told["datacontenttype"] = headers["content-type"]
    return msgspec.convert(told | {"data": msgspec.Raw(data)}, _Envelope, strict=False)


def _version(dataschema: str | None) -> int:
    tail = (dataschema or "").rsplit(":", 1)[-1]
    return int(tail) if tail.isascii() and tail.isdigit() and len(tail) < 10 else 1


def _glimpse(message: bytes) -> tuple[About, int]:
    """What is still to be seen of a message whose envelope is not whole, and the version it names."""
    seen = _object(message)
    event_id = seen.get("id")
    about = About(
        _text_or_none(seen.get("type")),
        event_id[:200] if isinstance(event_id, str) else None,
        _uuid(seen.get("entrepotaccount")) or _account_in(seen.get("data")),
    )
    return about, _version(_text_or_none(seen.get("dataschema")))


def _account_in(data: Any) -> UUID | None:
    return _uuid((data if isinstance(data, dict) else {}).get("account_id"))


def _object(message: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _nul_in(value: Any, place: str = "data") -> str | None:
    """Where a text holds U+0000, which PostgreSQL's does not."""
    if isinstance(value, str):
        return place if "\0" in value else None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return next((found for name, part in inner if (found := _nul_in(part, f"{place}.{name}"))), None)
