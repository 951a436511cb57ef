"""What a failed request tells: whether it may have arrived."""

import asyncio
import gc
import gzip
import socket
import weakref
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from common import http


@pytest.mark.fault("F12")
async def test_a_refused_connection_was_surely_not_sent(http_client: http.AsyncClient) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        with pytest.raises(http.NotSent) as failure:
            await http_client.post(f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/", content=b"x")
    assert isinstance(failure.value.__cause__, aiohttp.ClientConnectorError)


@pytest.mark.fault("F12")
async def test_a_server_that_reads_the_request_and_closes_leaves_the_outcome_unknown(
    http_client: http.AsyncClient, wire: Any
) -> None:
    wire.answers(wire.SILENT)
    with pytest.raises(http.OutcomeUnknown):
        await http_client.post(wire.url, content=b"x")
    assert [request.body for request in wire.arrived] == [b"x"]


@pytest.mark.fault("F12")
async def test_the_outcome_is_unknown_also_on_a_connection_that_was_used_before(
    http_client: http.AsyncClient, wire: Any
) -> None:
    wire.answers(wire.json({}), wire.SILENT)
    await http_client.post(wire.url, content=b"first")
    with pytest.raises(http.OutcomeUnknown):
        await http_client.post(wire.url, content=b"second")
    assert [request.body for request in wire.arrived] == [b"first", b"second"]


@pytest.mark.fault("F11")
async def test_a_body_shorter_than_announced_is_no_answer(http_client: http.AsyncClient, wire: Any) -> None:
    wire.answers(wire.raw(b'{"orders": []}', cut=-5))
    with pytest.raises(http.OutcomeUnknown):
        await http_client.get(wire.url)


@pytest.mark.fault("F11")
async def test_a_large_body_that_breaks_off_is_no_answer(http_client: http.AsyncClient, wire: Any) -> None:
    wire.answers(wire.raw(b"x" * (3 << 20), cut=2 << 20))
    with pytest.raises(http.OutcomeUnknown):
        await http_client.get(wire.url)


class Closed(Exception):
    """The fence does not let a request through."""


@pytest.mark.fault("F16")
@pytest.mark.parametrize("content", [b"x", b""])
async def test_a_fence_that_closes_while_a_request_waits_for_its_connection_lets_nothing_leave(
    wire: Any, content: bytes
) -> None:
    is_closed = False
    asked = 0

    def fence() -> None:
        nonlocal asked
        asked += 1
        if is_closed:
            raise Closed

    async with http.client(connections=1, read_timeout=30) as one_at_a_time:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def held_back() -> AsyncIterator[bytes]:
            reached.set()
            await go_on.wait()
            yield b"first"

        headers = {"content-length": "5"}
        first = asyncio.create_task(one_at_a_time.post(wire.url, content=held_back(), headers=headers))
        await reached.wait()
        second = asyncio.create_task(one_at_a_time.post(wire.url, content=content, extensions={"fence": fence}))
        await asyncio.sleep(0.1)
        assert asked == 0
        is_closed = True
        go_on.set()
        await first
        with pytest.raises(Closed):
            await second
        is_closed = False
        await one_at_a_time.post(wire.url, content=b"third", extensions={"fence": fence})
    assert [request.body for request in wire.arrived] == [b"first", b"third"]
    assert asked > 1


@pytest.mark.fault("F16")
async def test_a_fence_that_closes_between_head_and_body_lets_neither_leave(
    http_client: http.AsyncClient, wire: Any
) -> None:
    asked = 0

    def fence() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise Closed

    with pytest.raises(Closed):
        await http_client.post(wire.url, content=b"x", extensions={"fence": fence})
    assert (asked, wire.arrived) == (2, [])


async def test_a_large_body_streams_and_a_small_one_is_read_at_once(http_client: http.AsyncClient, wire: Any) -> None:
    for size in (10, 3 << 20):
        wire.answers(wire.raw(b"y" * size))
        async with http_client.stream("GET", wire.url) as answer:
            assert sum([len(chunk) async for chunk in answer.aiter_bytes()]) == size


async def test_a_compressed_answer_is_unpacked(http_client: http.AsyncClient, wire: Any) -> None:
    wire.answers(wire.raw(gzip.compress(b'{"sku": "A"}'), content_encoding="gzip"))
    assert (await http_client.get(wire.url)).json() == {"sku": "A"}


@pytest.mark.fault("F11")
async def test_an_answer_that_is_not_compressed_as_it_says_is_no_answer(
    http_client: http.AsyncClient, wire: Any
) -> None:
    wire.answers(wire.raw(b"plain", content_encoding="gzip"))
    with pytest.raises(http.OutcomeUnknown):
        await http_client.get(wire.url)


async def test_a_redirect_is_not_followed(http_client: http.AsyncClient, wire: Any) -> None:
    wire.answers(wire.raw(b"", 302, location="http://169.254.169.254/"))
    assert (await http_client.get(wire.url)).status_code == 302
    assert len(wire.arrived) == 1


@pytest.mark.edge(22)
async def test_a_cookie_of_one_sellers_answer_is_not_sent_with_the_next_request(
    http_client: http.AsyncClient, wire: Any
) -> None:
    wire.answers(wire.raw(b"{}", set_cookie="session=of-seller-1; Path=/"))
    await http_client.get(wire.url)
    await http_client.get(wire.url)
    assert all("cookie" not in request.headers for request in wire.arrived)


@pytest.mark.fault("F11")
async def test_silence_longer_than_the_read_timeout_leaves_the_outcome_unknown(wire: Any) -> None:
    wire.answers(wire.raw(b"{}"))
    async with http.client(read_timeout=0.05) as impatient:
        with socket.create_server(("127.0.0.1", 0)) as accepts_and_says_nothing, pytest.raises(http.OutcomeUnknown):
            await impatient.get(f"http://127.0.0.1:{accepts_and_says_nothing.getsockname()[1]}/")


async def test_a_streamed_upload_arrives_whole(http_client: http.AsyncClient, wire: Any) -> None:
    async def parts() -> Any:
        yield b"one,"
        yield b"two"

    await http_client.put(wire.url, content=parts(), headers={"content-length": "7"})
    assert wire.arrived[0].body == b"one,two"


async def test_an_answer_that_was_read_is_freed_at_once(http_client: http.AsyncClient, wire: Any) -> None:
    gc.disable()
    try:
        answer = await http_client.get(wire.url, headers={"x-amz-access-token": "Atza|secret"})
        freed = weakref.ref(answer)
        del answer
        assert freed() is None
    finally:
        gc.enable()
