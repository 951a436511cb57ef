"""What a path, a query and a header may say, checked once the caller is known: an unknown, repeated or odd parameter
is an error, not a silence."""

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes

from common.errors import InvalidRequest
from common.texts import text_problem

LONGEST_HEADER = 8192


# By the identity of a route's dependant, which is kept so that the identity stays its own.
_known: dict[int, tuple[Dependant, frozenset[str]]] = {}


def _declared(dependant: Dependant) -> frozenset[str]:
    """The names of the query's parameters."""
    if (known := _known.get(id(dependant))) is None:
        fields = get_flat_params(dependant)
        names = frozenset(field.alias for field in fields if getattr(field.field_info, "in_", None) is ParamTypes.query)
        known = _known[id(dependant)] = (dependant, names)
    return known[1]


def refuse_odd_parameters(request: Request, *, unknown_too: bool = True) -> None:
    """Raises `InvalidRequest` with the place of every parameter that is unknown, repeated or no text."""
    errors = []
    declared = _declared(request.scope["route"].dependant)
    seen = set()
    for name, value in request.query_params.multi_items():
        if name not in declared:
            if not unknown_too:
                continue
            shown = "".join(character for character in name[:50] if character.isprintable())
            errors.append({"where": f"query.{shown}", "detail": "is no parameter of this operation", "rule": "unknown"})
        elif name in seen:
            errors.append({"where": f"query.{name}", "detail": "is given twice", "rule": "repeated"})
        elif problem := text_problem(value):
            errors.append({"where": f"query.{name}", "detail": problem, "rule": "text_invalid"})
        seen.add(name)
    for name, value in request.path_params.items():
        if isinstance(value, str) and (problem := text_problem(value)):
            errors.append({"where": f"path.{name}", "detail": problem, "rule": "text_invalid"})
    for name, value in request.headers.items():
        if problem := text_problem(value, LONGEST_HEADER):
            errors.append({"where": f"header.{name}", "detail": problem, "rule": "text_invalid"})
    if errors:
        fix = f"This operation takes {', '.join(sorted(declared)) or 'no query parameters'}"
        unknown = any(error["rule"] == "unknown" for error in errors)
        raise InvalidRequest(f"{len(errors)} parameter(s) are wrong", errors=errors, fix=fix if unknown else "")


async def _refuse(request: Request) -> None:
    refuse_odd_parameters(request)


async def _refuse_of_others(request: Request) -> None:
    refuse_odd_parameters(request, unknown_too=False)


# For the operations that ask for no token; `callers.requires` does it for all others.
OpenDoor = Depends(_refuse)
# The same where Amazon writes the query: what it adds one day is none of our business.
AmazonsDoor = Depends(_refuse_of_others)
