"""What a dial is: a method, a path, a sentence on its use, and a function from world and request to an answer."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from amazon_sandbox.wire import encode
from amazon_sandbox.world import Seller, World

_Shape = TypeVar("_Shape")


class DialError(Exception):
    """A dial used wrongly; the answer says how it is used."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class DialCall(NamedTuple):
    world: World
    path: dict[str, str]
    query: dict[str, str]
    body: bytes

    def read(self, shape: type[_Shape]) -> _Shape:
        """The body as `shape`, strictly: an unknown field is a mistake. Prices may be numbers or strings."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DialError(str(error)) from error

    def required(self, name: str) -> str:
        """A parameter of the query."""
        if name not in self.query:
            raise DialError(f"the query needs {name}")
        return self.query[name]

    def seller(self, selling_partner_id: str) -> Seller:
        """The seller of this id; `?region=` chooses when several regions have one."""
        found = self.world.find_sellers(selling_partner_id)
        if "region" in self.query:
            found = [seller for seller in found if seller.region == self.query["region"]]
        if not found:
            raise DialError(f"there is no seller {selling_partner_id}", 404)
        if len(found) > 1:
            raise DialError(f"{selling_partner_id} lives in several regions: add ?region=NA, EU or FE")
        return found[0]

    def seller_in(self, marketplace_id: str, selling_partner_id: str) -> Seller:
        """The seller who sells in this marketplace."""
        seller = self.world.seller_in(marketplace_id, selling_partner_id)
        if seller is None:
            raise DialError(f"there is no seller {selling_partner_id} in marketplace {marketplace_id}", 404)
        return seller


class Dial(NamedTuple):
    """A turn that gives bytes is answered with them, anything else as JSON."""

    method: str
    path: str
    usage: str
    turn: Callable[[DialCall], Any]

    def endpoint(self, world: World) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            call = DialCall(world, dict(request.path_params), dict(request.query_params), await request.body())
            try:
                turned = self.turn(call)
                if isinstance(turned, bytes):
                    return Response(turned, media_type="application/octet-stream")
                return _json(turned)
            except DialError as error:
                return _json(
                    {"error": error.message, "usage": f"{self.method} {self.path}: {self.usage}"}, error.status
                )

        return answer


def _json(document: object, status: int = 200) -> Response:
    return Response(encode(document), status, media_type="application/json")
