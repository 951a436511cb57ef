"""Parts of the tests of `common.amazon`: PostgreSQL for the buckets, a wire server in Amazon's place, a seller."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common import http
from common.amazon.access import AccessTokens, Seller
from common.amazon.client import AmazonClient
from common.amazon.limits import Limits
from common.database_url import engine_of
from common.testing.databases import Databases


@dataclass(frozen=True)
class Arrived:
    """One request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer; one cut off after `cut` bytes; or (`silent`) nothing but closing after the request was read."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    cut: int | None = None

    def bytes(self) -> bytes:
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"HTTP/1.1 {self.status} Whatever\r\ncontent-length: {len(self.body)}\r\n{headers}\r\n"
        return (head.encode("latin-1") + self.body)[: self.cut]


class Wire:
    """A small HTTP/1.1 server on loopback that records what arrives byte for byte, and answers as a test tells it."""

    SILENT = Answer(silent=True)

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.script: Callable[[Arrived], Answer] = lambda _: Answer()
        self.url = ""

    def answers(self, *answers: Answer) -> None:
        """Answers in this order; the last one stays."""
        queue = list(answers)
        self.script = lambda _: queue.pop(0) if len(queue) > 1 else queue[0]

    @staticmethod
    def raw(body: bytes, status: int = 200, *, cut: int | None = None, **headers: str) -> Answer:
        """Any answer; underscores of header names stand for hyphens."""
        return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, cut=cut)

    @classmethod
    def json(cls, body: object, status: int = 200, **headers: str) -> Answer:
        """A JSON answer."""
        return cls.raw(json.dumps(body).encode(), status, cut=None, content_type="application/json", **headers)

    @classmethod
    def fault(cls, status: int, code: str = "InternalFailure", message: str | None = "We met an error.") -> Answer:
        """Amazon's error answer (FACTS 3.6)."""
        return cls.json({"errors": [{"code": code, "message": message}]}, status, x_amzn_RequestId="request-1")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.rstrip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                self.arrived.append(Arrived(method, target, headers, body))
                answer = self.script(self.arrived[-1])
                if answer.silent:
                    return
                writer.write(answer.bytes())
                await writer.drain()
                if answer.cut is not None:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """The server in Amazon's place, or in auth's."""
    server = Wire()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield server
    listening.close()


@pytest.fixture
async def http_client() -> AsyncIterator[http.AsyncClient]:
    """Our way out."""
    async with http.client(connect_timeout=30, read_timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
async def bucket_engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """The database that holds the buckets. Tests use an application id of their own, so they share no bucket."""
    url = await databases.new("common")
    engine = engine_of(url, application_name="limits")
    yield engine
    await engine.dispose()
    await databases.drop(url)


@pytest.fixture
def app_id() -> str:
    """An application nobody else uses."""
    return f"amzn1.sellerapps.app.{uuid.uuid4()}"


@pytest.fixture
def make_seller() -> Callable[..., Seller]:
    """Sellers of accounts of their own."""

    def make(selling_partner_id: str = "A1SELLER") -> Seller:
        return Seller(uuid.uuid4(), uuid.uuid4(), selling_partner_id, "NA")

    return make


@pytest.fixture
def seller(make_seller: Callable[..., Seller]) -> Seller:
    """One seller in NA."""
    return make_seller()


class FixedTokens:
    """Access tokens as a test wants them: after a refusal the next one, at last always the same."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refusals: list[str] = []

    async def get(self, seller: Seller) -> str:
        return self.tokens[0]

    async def refused(self, seller: Seller, token: str) -> str:
        self.refusals.append(token)
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0]


@pytest.fixture
def tokens() -> FixedTokens:
    """Two tokens: the second is the fresh one."""
    return FixedTokens("Atza|first-token", "Atza|second-token")


ClientOf = Callable[..., AmazonClient]


@pytest.fixture
def client_of(
    http_client: http.AsyncClient, bucket_engine: AsyncEngine, app_id: str, tokens: FixedTokens, wire: Wire
) -> ClientOf:
    """Clients of a service that call the wire server; between attempts they wait milliseconds."""

    def make(service: str = "orders", *, access: AccessTokens | None = None, **options: float) -> AmazonClient:
        return AmazonClient(
            http_client,
            access or tokens,
            Limits(bucket_engine, service),  # type: ignore[arg-type]
            app_ids={"NA": app_id},
            endpoints={"NA": wire.url},
            **{"backoff": 0.002, **options},  # type: ignore[arg-type]
        )

    return make
