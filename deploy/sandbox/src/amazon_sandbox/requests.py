"""A call as it came off the wire."""

from typing import NamedTuple

from amazon_sandbox.marketplaces import RegionCode


class Request(NamedTuple):
    """The path is still encoded: `A%2FB` and `A%252FB` are different SKUs. Header names are in lower case."""

    region: RegionCode
    method: str
    raw_path: bytes
    query_string: bytes
    access_token: str | None
    body: bytes
    headers: dict[bytes, bytes] = {}  # noqa: RUF012 - a default nobody changes
    base_url: str = ""  # this server as the caller knows it: presigned URLs begin with it

    @property
    def path(self) -> str:
        return self.raw_path.decode("ascii", "replace")
