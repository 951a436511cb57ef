"""What strangers send, over a real socket: nothing is read before credentials, bounds hold, refusals are problems."""

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import uuid4

import pytest
import pytest_asyncio
from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError

from common import http_server
from common.app import Service
from common.callers import Caller, requires
from common.front_door import LARGEST_BODY, Guarded, body_limit
from common.settings import ServiceSettings
from common.testing.identity import Issuer
from common.testing.plugin import Running, RunService

router = APIRouter(prefix="/v1", route_class=Guarded)
gate = asyncio.Event()
ACCOUNT = uuid4()


class Note(BaseModel):
    text: str


@router.post("/notes")
async def take_note(note: Note, caller: Annotated[Caller, requires("notes:write")]) -> dict[str, int]:
    return {"length": len(note.text)}


@router.post("/files")
@body_limit(None)
async def take_file(request: Request, caller: Annotated[Caller, requires("notes:write")]) -> dict[str, int]:
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return {"length": total}


@router.get("/slow")
async def slow() -> dict[str, str]:
    await gate.wait()
    return {}


SERVICE = Service(name="auth", package="common", settings=ServiceSettings, routers=[router])  # the name of any service


@pytest_asyncio.fixture
async def edge(run_service: RunService) -> AsyncIterator[Running]:
    """A service with little room and patience in its gate, and ordinary patience elsewhere."""
    gate.clear()
    yield await run_service(SERVICE, most_requests=3)
    gate.set()


@pytest_asyncio.fixture
async def impatient(run_service: RunService) -> Running:
    return await run_service(SERVICE, head_seconds=0.3, body_silent_seconds=0.3, drain_seconds=0.3)


class Line:
    """One connection by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, edge: Running) -> "Line":
        host, port = edge.url.removeprefix("http://").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(body)

    async def ended(self) -> bool:
        """Whether the server closes the connection, in whatever time its bounds allow."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass
        return True


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *headers, "", ""]).encode()


def bearer(issuer: Issuer, scope: str = "notes:write") -> str:
    return f"Authorization: {issuer.headers(ACCOUNT, scope)['authorization']}"


async def test_without_a_token_nothing_of_a_body_is_read_before_the_refusal(edge: Running) -> None:
    line = await Line.to(edge)
    await line.send(head("/v1/notes", "Content-Type: application/json", "Content-Length: 300000000"), b" " * 1000)
    status, headers, problem = await line.answer()
    assert (status, headers["content-type"], problem["type"]) == (
        401,
        "application/problem+json",
        "/problems/unauthenticated",
    )


async def test_a_token_without_the_scope_is_refused_before_the_body_too(edge: Running, issuer: Issuer) -> None:
    line = await Line.to(edge)
    await line.send(head("/v1/notes", bearer(issuer, "notes:read"), "Content-Length: 5000"))
    status, _, problem = await line.answer()
    assert (status, problem["type"]) == (403, "/problems/missing-scope")


async def test_a_hundred_megabytes_without_a_token_leave_memory_flat_and_health_quick(edge: Running) -> None:
    line = await Line.to(edge)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await line.send(head("/v1/notes", "Content-Type: application/json", "Content-Length: 100000000"))
    sent = 0
    try:
        while sent < 100_000_000:
            await line.send(b" " * 1_000_000)
            sent += 1_000_000
            assert (await edge.http.get("/healthz")).status_code == 200
    except ConnectionError:
        pass  # the line is cut while nobody wants the rest
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 * 1024  # KiB, the sender's own buffers among them


@pytest.mark.parametrize("how", ["announced", "chunked"])
async def test_a_body_over_the_limit_is_refused_with_what_to_do(edge: Running, issuer: Issuer, how: str) -> None:
    line = await Line.to(edge)
    if how == "announced":
        await line.send(head("/v1/notes", bearer(issuer), f"Content-Length: {LARGEST_BODY + 1}"))
    else:
        size = LARGEST_BODY + 1
        await line.send(head("/v1/notes", bearer(issuer), "Transfer-Encoding: chunked"))
        await line.send(f"{size:x}\r\n".encode(), b"x" * size, b"\r\n")
    status, _, problem = await line.answer()
    assert (status, problem["type"]) == (413, "/problems/body-too-large")
    assert problem["fix"]


async def test_a_route_that_streams_takes_more_than_the_limit(edge: Running, issuer: Issuer) -> None:
    answer = await edge.http.post(
        "/v1/files", content=b"x" * (3 * LARGEST_BODY), headers=issuer.headers(ACCOUNT, "notes:write")
    )
    assert answer.json() == {"length": 3 * LARGEST_BODY}


async def test_the_largest_body_that_is_allowed_is_taken(edge: Running, issuer: Issuer) -> None:
    text = "x" * (LARGEST_BODY - len('{"text":""}'))
    answer = await edge.http.post("/v1/notes", json={"text": text}, headers=issuer.headers(ACCOUNT, "notes:write"))
    assert answer.json() == {"length": len(text)}


async def test_a_body_that_stops_half_way_is_refused_and_its_line_ends(impatient: Running, issuer: Issuer) -> None:
    line = await Line.to(impatient)
    await line.send(head("/v1/notes", bearer(issuer), "Content-Length: 100"), b"half")
    status, _, problem = await line.answer()
    assert (status, problem["type"]) == (408, "/problems/request-too-slow")
    assert await line.ended()


async def test_a_head_that_stops_half_way_is_refused_and_its_line_ends(impatient: Running) -> None:
    line = await Line.to(impatient)
    await line.send(b"GET /healthz HTTP/1.1\r\nHost:")
    status, _, problem = await line.answer()
    assert (status, problem["type"]) == (408, "/problems/request-too-slow")
    assert await line.ended()


async def test_a_refused_body_that_never_ends_is_cut_off(impatient: Running) -> None:
    line = await Line.to(impatient)
    await line.send(head("/v1/notes", "Content-Length: 100"), b"half")
    assert (await line.answer())[0] == 401
    assert await line.ended()


@pytest.mark.parametrize(
    "sent",
    [
        head("/healthz", "X-Long: " + "a" * http_server.LARGEST_HEAD, method="GET"),
        head("/healthz", *(f"X-{number}: a" for number in range(http_server.MOST_HEADERS + 1)), method="GET"),
        head("/healthz?" + "a" * http_server.LARGEST_HEAD, method="GET"),
        b"GET /healthz HTTP/1.1\r\nX-Endless: " + b"a" * (2 * http_server.LARGEST_HEAD),
    ],
    ids=["one header", "many headers", "a long query", "a header without end"],
)
async def test_a_head_without_measure_is_refused(edge: Running, sent: bytes) -> None:
    line = await Line.to(edge)
    await line.send(sent)
    status, _, problem = await line.answer()
    assert (status, problem["type"]) == (431, "/problems/headers-too-large")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"HELLO\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost here\r\n\r\n",
        b"POST /v1/notes HTTP/1.1\r\nHost: here\r\nContent-Length: five\r\n\r\n",
        b"POST /v1/notes HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: here\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
    ],
    ids=["TLS", "a word", "no colon", "a length in letters", "two lengths", "bytes in a path", "a proxy's method"],
)
async def test_what_is_not_http_ends_as_a_problem(edge: Running, sent: bytes) -> None:
    line = await Line.to(edge)
    await line.send(sent)
    status, headers, problem = await line.answer()
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert problem["type"] == "/problems/malformed-http"
    assert await line.ended()


@pytest.mark.parametrize("pieces", ["at once", "head and body apart", "byte by byte"])
@pytest.mark.parametrize("framing", ["a length", "chunks"])
async def test_an_offer_of_http_2_is_passed_over_and_the_body_arrives(
    edge: Running, issuer: Issuer, pieces: str, framing: str
) -> None:
    """As java.net.http sends its first request on a clear connection."""
    body = b'{"text":"hello"}'
    length = f"Content-Length: {len(body)}" if framing == "a length" else "Transfer-Encoding: chunked"
    framed = body if framing == "a length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    offered = head(
        "/v1/notes",
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        "Content-Type: application/json",
        bearer(issuer),
        length,
    )
    parts = {
        "at once": [offered + framed],
        "head and body apart": [offered, framed],
        "byte by byte": [bytes([byte]) for byte in offered + framed],
    }[pieces]
    line = await Line.to(edge)
    for _ in range(2):  # the connection stays good
        await line.send(*parts)
        status, _, answer = await line.answer()
        assert (status, answer) == (200, {"length": 5})


async def test_more_requests_than_there_is_room_for_are_told_to_come_back_and_health_is_not(edge: Running) -> None:
    waiting = [asyncio.create_task(edge.http.get("/v1/slow")) for _ in range(3)]
    deadline = time.monotonic() + 30
    while (refused := await edge.http.get("/v1/nowhere")).status_code != 503:
        assert time.monotonic() < deadline
    assert refused.json()["type"] == "/problems/busy"
    assert refused.headers["retry-after"] == "1"
    assert (await edge.http.get("/healthz")).status_code == 200
    gate.set()
    assert {(await one).status_code for one in waiting} == {200}
    assert (await edge.http.get("/v1/nowhere")).status_code == 404


async def test_more_connections_than_there_is_room_for_are_refused(run_service: RunService) -> None:
    edge = await run_service(SERVICE, most_connections=1)
    await edge.http.get("/healthz")
    line = await Line.to(edge)
    status, _, problem = await line.answer()
    assert (status, problem["type"]) == (503, "/problems/too-many-connections")
    assert await line.ended()


async def test_two_requests_sent_together_are_both_answered(edge: Running, issuer: Issuer) -> None:
    line = await Line.to(edge)
    body = b'{"text":"hello"}'
    one = head("/v1/notes", bearer(issuer), "Content-Type: application/json", f"Content-Length: {len(body)}") + body
    await line.send(one + one)
    assert [(await line.answer())[2] for _ in range(2)] == [{"length": 5}] * 2


async def test_pages_of_the_named_origins_may_call_and_no_others(run_service: RunService) -> None:
    edge = await run_service(SERVICE, cors_origins="https://app.example, http://localhost:3000")
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,idempotency-key"}
    ours = await edge.http.request("OPTIONS", "/v1/notes", headers=asked | {"origin": "https://app.example"})
    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    theirs = await edge.http.request("OPTIONS", "/v1/notes", headers=asked | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in theirs.headers
    refused = await edge.http.post("/v1/notes", json={}, headers={"origin": "http://localhost:3000"})
    assert refused.status_code == 401  # and the page may read why
    assert refused.headers["access-control-allow-origin"] == "http://localhost:3000"


async def test_without_the_setting_no_foreign_page_may_call(edge: Running) -> None:
    answer = await edge.http.get("/healthz", headers={"origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "app.example", "https://app.example/", "https://app.example/path", "null"])
def test_an_origin_that_is_none_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="https://host"):
        ServiceSettings.model_validate(
            {
                "database_url": "postgresql://a@b/c",
                "kafka_bootstrap_servers": "k:9092",
                "auth_url": "http://auth",
                "service_key": "k",
                "key_ring": "a:b",
                "cors_origins": origin,
            }
        )


async def test_trailers_without_measure_are_refused(edge: Running, issuer: Issuer) -> None:
    line = await Line.to(edge)
    await line.send(head("/v1/files", bearer(issuer), "Transfer-Encoding: chunked"), b"5\r\nhello\r\n0\r\n")
    try:
        for number in range(2000):
            await line.send(f"X-{number}: {'a' * 200}\r\n".encode())
    except ConnectionError:
        return
    assert await line.ended()


@pytest.mark.parametrize("stray", [b"\r\n", b"GET /heal", b"nonsense\r\n\r\n"])
async def test_nothing_is_written_into_an_answer_that_is_under_way(run_service: RunService, stray: bytes) -> None:
    gate.clear()
    impatient = await run_service(SERVICE, head_seconds=0.2)
    line = await Line.to(impatient)
    await line.send(head("/v1/slow", method="GET"), stray)
    await asyncio.sleep(0.6)  # longer than a head may take: nothing may come meanwhile
    gate.set()
    status, _, answer = await line.answer()
    assert (status, answer) == (200, {})


async def test_an_upload_behind_another_request_has_its_own_time(run_service: RunService, issuer: Issuer) -> None:
    running = await run_service(SERVICE, drain_seconds=0.2)
    line = await Line.to(running)
    upload = head("/v1/files", bearer(issuer), "Content-Length: 8")
    await line.send(head("/healthz", method="GET") + upload)
    assert (await line.answer())[0] == 200
    for byte in b"12345678":
        await asyncio.sleep(0.1)
        await line.send(bytes([byte]))
    status, _, answer = await line.answer()
    assert (status, answer) == (200, {"length": 8})


async def test_a_flood_of_offers_is_refused(edge: Running) -> None:
    line = await Line.to(edge)
    offer = head("/healthz", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", method="GET")
    await line.send(offer * 3000)
    assert await line.ended()
    assert (await edge.http.get("/healthz")).status_code == 200


async def test_an_older_client_that_offers_an_upgrade_is_answered_as_one(edge: Running) -> None:
    line = await Line.to(edge)
    await line.send(b"GET /healthz HTTP/1.0\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    status, headers, _ = await line.answer()
    assert (status, headers.get("transfer-encoding"), headers["connection"]) == (200, None, "close")
