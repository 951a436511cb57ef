"""One authorised SP-API call as its handler sees it, with the query read the way Amazon reads it."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from amazon_sandbox.grants import AccessToken
from amazon_sandbox.marketplaces import MARKETPLACES, Marketplace
from amazon_sandbox.requests import Request
from amazon_sandbox.wire import decode, invalid_input

if TYPE_CHECKING:
    from amazon_sandbox.world import Seller, World

_Shape = TypeVar("_Shape")


class Call(msgspec.Struct, frozen=True, gc=False):
    """`arguments` are the decoded variable segments of the path, in order."""

    world: "World"
    seller: "Seller"
    arguments: tuple[str, ...]
    query: dict[str, list[str]]
    body: bytes
    token: AccessToken
    roles: frozenset[str]
    request: Request

    def data_elements(self) -> frozenset[str] | None:
        """What a Restricted Data Token allows of this very resource (FACTS 4.4, 4.6); None for any other token."""
        if self.token.restricted is None:
            return None
        covering = (one for one in self.token.restricted if one.covers(self.request.method, self.request.path))
        return frozenset[str]().union(*(one.data_elements for one in covering))

    def one(self, name: str) -> str | None:
        values = self.query.get(name)
        return values[0] if values else None

    def many(self, name: str, allowed: Collection[str] | None = None) -> list[str]:
        """A list parameter: comma-joined, repeated, or both."""
        values = [value for joined in self.query.get(name, ()) for value in joined.split(",")]
        if allowed is not None:
            for value in values:
                if value not in allowed:
                    raise invalid_input(f"Invalid value '{value}' for parameter {name}.")
        return values

    def whole_number(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self.one(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and lowest <= int(text) <= highest):
            raise invalid_input(f"{name} must be a whole number from {lowest} to {highest}.")
        return int(text)

    def marketplaces(self, most: int | None = None) -> list[Marketplace]:
        """`marketplaceIds`: required, known, of this region and this seller's."""
        marketplace_ids = self.many("marketplaceIds")
        if not marketplace_ids:
            raise invalid_input("Missing required parameter marketplaceIds.")
        if most is not None and len(marketplace_ids) > most:
            raise invalid_input(f"marketplaceIds takes at most {most}.")
        return self.own_marketplaces(marketplace_ids)

    def own_marketplaces(self, marketplace_ids: Iterable[str]) -> list[Marketplace]:
        """Those of this seller in this region; any other is a 400."""
        marketplace_ids = list(marketplace_ids)
        for marketplace_id in marketplace_ids:
            if marketplace_id not in self.seller.marketplace_ids:
                raise invalid_input(f"Invalid marketplaceId '{marketplace_id}' for this seller in this region.")
        return [MARKETPLACES[marketplace_id] for marketplace_id in marketplace_ids]

    def regional_marketplace_ids(self, most: int | None = None) -> list[str]:
        """`marketplaceIds`: required, known and of this region; the seller need not sell there."""
        marketplace_ids = self.many("marketplaceIds")
        if not marketplace_ids or (most is not None and len(marketplace_ids) > most):
            raise invalid_input("Request has missing or invalid parameters and cannot be parsed.", "marketplaceIds")
        for marketplace_id in marketplace_ids:
            marketplace = MARKETPLACES.get(marketplace_id)
            if marketplace is None or marketplace.region != self.seller.region:
                raise invalid_input(f"Invalid marketplaceId '{marketplace_id}' in this region.")
        return marketplace_ids

    def document(self) -> dict[str, Any]:
        """The JSON object of the body."""
        try:
            document = decode(self.body)
        except ValueError as error:
            raise invalid_input("Request body is not valid JSON.", str(error)) from error
        if not isinstance(document, dict):
            raise invalid_input("Request body is not a JSON object.")
        return document

    def read(self, shape: type[_Shape]) -> _Shape:
        """The JSON object of the body as `shape`; what the shape does not know is ignored."""
        try:
            return msgspec.convert(self.document(), shape)
        except msgspec.ValidationError as error:
            raise invalid_input("Request body does not have the expected shape.", str(error)) from error
