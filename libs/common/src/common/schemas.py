"""The bases of what the APIs take (`Body`) and answer (`Answer`), and the texts that their fields are made of."""

from itertools import islice
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from common.texts import odd_texts

_SHOWN = 20
TEXT_INVALID = "text_invalid"

# Something that a person named: a channel, a source, a key.
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Field(json_schema_extra={"pattern": r"\S"}),
]
# What JSON has of its own is taken as itself: a text that spells it, or another kind of value, is an error.
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
# Words for other people: a reason, a remark. May be empty.
Remark = Annotated[str, StringConstraints(max_length=500)]
# Ids that Amazon gives.
AmazonOrderId = Annotated[str, StringConstraints(min_length=1, max_length=50)]
SellingPartnerId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MarketplaceId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=32),
    Field(json_schema_extra={"pattern": r"\S"}),
]
# Compared byte for byte, never trimmed.
Sku = Annotated[str, StringConstraints(min_length=1, max_length=40)]


def Values(*known: str, description: str = "") -> Any:  # noqa: N802 - reads as a kind of Field
    """An answer's open enum: today's values, documented; a reader takes others for an unknown one."""
    said = f"{description}. More may be added: treat an unknown value as an unknown one." if description else ""
    return Field(description=said or "More values may be added.", json_schema_extra={"x-extensible-enum": list(known)})


class Body(BaseModel):
    """What a request says. A misspelt field is an error, not a silence; text that cannot be kept is refused with its
    place, however deep it is, in a field or in what the field holds.

    `one_by_one` names the fields whose parts are judged by themselves: an odd one does not take the others with it.
    """

    model_config = ConfigDict(extra="forbid")

    one_by_one: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _holds_text(cls, given: Any) -> Any:
        looked_at = given
        if cls.one_by_one and isinstance(given, dict):
            looked_at = {name: value for name, value in given.items() if name not in cls.one_by_one}
        if odd := list(islice(odd_texts(looked_at), _SHOWN)):
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(
                        type=PydanticCustomError(TEXT_INVALID, "{problem}", {"problem": problem}), loc=place, input=None
                    )
                    for place, problem in odd
                ],
            )
        return given


class Answer(BaseModel):
    """What an answer says, read off a table's row or an object's attributes."""

    model_config = ConfigDict(from_attributes=True)
