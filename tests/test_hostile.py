"""A hostile generator against each service as a process of its own: rubbish, lies, half of everything, too much of
everything. A short cut here; `make fuzz` takes its time, and minds how fast `/healthz` answers."""

import asyncio
import json
import os
import random
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from common.http import client
from local_stack.demo.running import new_stack
from local_stack.services import NAMES, SERVICES, create_account
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack
from local_stack.supervisor import memory_of

SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
SEED = os.environ.get("FUZZ_SEED", "1")
ROUNDS = 3  # of the short cut
MEGABYTE = 1_000_000
# What one process may grow over all attacks; a body of 100 MB that is kept would be seen at once.
GROWTH = 60 * 2**20
HEALTHY_SECONDS = 0.1

RUBBISH = (
    json.dumps({"name": "a\0b"}),
    json.dumps({"name": "a\ud800b"}),
    json.dumps({"name": "x" * MEGABYTE}),
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
    "9" * 100_000,
    '{"name": NaN}',
    '{"name": "cut',
)


class Hostile:
    """Attacks one service, seeded. Each attack reads what answers come; an answer must be no unnamed 5xx."""

    def __init__(self, url: str, operations: list[tuple[str, str]], token: str) -> None:
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)
        self.operations = operations
        self.token = token
        self.random = random.Random(SEED)
        self.statuses: list[int] = []
        self.attacks: list[Callable[[], Awaitable[None]]] = [
            self.rubbish,
            self.too_long_a_length,
            self.too_short_a_length,
            self.half_a_head,
            self.much_without_a_token,
            self.many_connections,
            self.an_endless_chunk,
        ]

    def head(self, *headers: str, token: bool = True) -> bytes:
        method, path = self.random.choice(self.operations)
        given = [f"{method} {path} HTTP/1.1", "Host: here", "Content-Type: application/json", *headers]
        if token:
            given.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*given, "", ""]).encode()

    async def tell(self, *parts: bytes) -> None:
        """Sends as much as is taken, ends its own half, and reads what is answered until the line ends."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        answer = b""
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except (ConnectionError, OSError):
            pass  # refused in the middle, as it should be
        try:
            while more := await reader.read(65536):
                answer += more
        except (ConnectionError, OSError):
            pass
        writer.close()
        self._judge(answer)

    def _judge(self, answer: bytes) -> None:
        if not answer:
            return
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        self.statuses.append(status)
        if status >= 500:
            assert status == 503, answer[:500]
            assert json.loads(body)["type"].startswith("/problems/"), answer[:500]

    async def rubbish(self) -> None:
        body = self.random.choice(RUBBISH).encode()
        await self.tell(self.head(f"Content-Length: {len(body)}", "Connection: close"), body)

    async def too_long_a_length(self) -> None:
        await self.tell(self.head("Content-Length: 100000", "Connection: close"), b'{"name": "half')

    async def too_short_a_length(self) -> None:
        await self.tell(self.head("Content-Length: 3", "Connection: close"), b'{"name": "more than was said"}')

    async def half_a_head(self) -> None:
        await self.tell(self.head()[: self.random.randrange(1, 60)])

    async def much_without_a_token(self) -> None:
        piece = b" " * MEGABYTE
        await self.tell(self.head("Content-Length: 100000000", token=False), *[piece] * 100)

    async def an_endless_chunk(self) -> None:
        piece = b"x" * MEGABYTE
        await self.tell(self.head("Transfer-Encoding: chunked"), b"fffffff\r\n", *[piece] * 20)

    async def many_connections(self) -> None:
        opened = await asyncio.gather(*(asyncio.open_connection(self.host, self.port) for _ in range(200)))
        for _, writer in opened:
            writer.write(b"POST /v1/token HTTP/1.1\r\nContent-Length: 10\r\nHost:")
        for _, writer in opened:
            writer.close()


@pytest.fixture(scope="module")
def product() -> Iterator[tuple[Stack, str]]:
    """All four services, each a process, and an account's key."""
    stack = new_stack()
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):  # those of the session have other tests' databases
        stack.environment.pop(name, None)
    try:
        start_stack((*INFRASTRUCTURE, *SERVICES), stack, lambda _: None)
        yield stack, create_account(stack, "Hostile")["key"]
    finally:
        stack.supervisor.stop()
        shutil.rmtree(stack.state_dir, ignore_errors=True)


async def attack(stack: Stack, name: str, key: str) -> None:
    url, pid = stack.addresses[name], stack.supervisor.servers[name].child.pid
    took: list[float] = []
    async with client() as http:
        answer = await http.post(f"{stack.addresses['auth']}/v1/token", headers={"authorization": f"Bearer {key}"})
        document: Any = (await http.get(f"{url}/openapi.json")).json()
        operations = [
            (method.upper(), path.replace("{", "").replace("}", ""))
            for path, methods in document["paths"].items()
            for method in methods
            if method in ("post", "put", "patch") and path.startswith("/v1/") and path != "/v1/token"
        ]
        hostile = Hostile(url, operations, answer.json()["access_token"])
        for one in hostile.attacks:  # what is loaded once is loaded now
            await one()
        before = memory_of([pid]).resident
        ends, rounds = time.monotonic() + SECONDS, 0
        while rounds < ROUNDS or time.monotonic() < ends:
            rounds += 1
            hostile.random.shuffle(hostile.attacks)
            for one in hostile.attacks:
                running = asyncio.ensure_future(one())
                began = time.monotonic()
                assert (await http.get(f"{url}/healthz")).status_code == 200
                took.append(time.monotonic() - began)
                await running
        assert (await http.get(f"{url}/readyz")).status_code == 200
    stack.supervisor.servers[name].child.check()
    assert {401} <= set(hostile.statuses)  # the attacks arrived
    assert memory_of([pid]).resident - before < GROWTH
    if SECONDS:
        assert sorted(took)[int(len(took) * 0.99)] < HEALTHY_SECONDS


@pytest.mark.edge(32)
@pytest.mark.journey
@pytest.mark.timeout(1800 + 2 * SECONDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_stranger_breaks_no_service_and_costs_it_no_memory(name: str, product: tuple[Stack, str]) -> None:
    stack, key = product
    asyncio.run(attack(stack, name, key))
