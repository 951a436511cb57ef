"""The one door to httpx: a client over aiohttp's connection pool whose failures say whether a request may have arrived.

httpx's own pool collapses with concurrency (PERFORMANCE, client overhead); httpx-aiohttp's does not, but shows a
connection closed *after* the request was read like a refused one. Here every failure is either `NotSent` or
`OutcomeUnknown`.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any

import aiohttp
import yarl
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from httpx import (
    URL,
    AsyncByteStream,
    AsyncClient,
    ByteStream,
    Cookies,
    DecodingError,
    Request,
    RequestNotRead,
    Response,
    Timeout,
    TransportError,
    create_ssl_context,
)
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream

__all__ = ["URL", "AsyncClient", "NotSent", "OutcomeUnknown", "Request", "Response", "client"]

# An answer up to this size (bytes, by its Content-Length) is read at once; a larger one streams.
_READ_AT_ONCE = 1 << 20
# A client gives up an idle connection long before the server does: on one that the server is just closing, a request
# has no answer and an unknown outcome.
IDLE_CLIENT_SECONDS = 15
IDLE_SERVER_SECONDS = 75
# Raised by aiohttp only while it connects, so before a byte of the request has left.
_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class NotSent(TransportError):
    """The request surely did not leave this machine (refused, no route, TLS, connect timeout): repeating it is safe."""


class OutcomeUnknown(TransportError):
    """The request may have been carried out (reset, read timeout, cut-off answer): only idempotent ones may repeat."""


def client(
    *,
    connections: int = 128,
    connect_timeout: float = 5.0,
    read_timeout: float = 30.0,
    verify: ssl.SSLContext | bool = True,
) -> AsyncClient:
    """A client for many requests at once. Times in seconds; `read_timeout` is the longest silence, not the whole.

    It follows no redirect, keeps no cookies (they would leak from one seller to the next) and reads no proxy variables.
    A request may carry extensions of its own: `timeout` ({"connect": s, "read": s, "total": s}); `target`: bytes sent
    as path and query as they are, below a URL that names the origin only (httpx need not parse each anew); and `fence`:
    called when all waiting is over and the bytes are about to leave. What it raises is raised; nothing was sent then.
    Raises `NotSent` or `OutcomeUnknown`, both httpx `TransportError`s; any answer, whatever its status, is returned.
    """
    return _Client(
        transport=_Transport(connections, _public_authorities() if verify is True else verify),
        timeout=Timeout(None, connect=connect_timeout, read=read_timeout),
        follow_redirects=False,
        trust_env=False,
    )


@cache
def _public_authorities() -> ssl.SSLContext:
    """Reading the certificates takes 35 ms; all clients of a process share the result."""
    return create_ssl_context(trust_env=False)


class _NoCookies(Cookies):
    """Also saves a third of httpx's time per call: the standard library's cookie jar parses every answer's headers."""

    def extract_cookies(self, response: Response) -> None:
        pass

    def set_cookie_header(self, request: Request) -> None:
        pass


_READ = ByteStream(b"")


class _Client(AsyncClient):
    _no_cookies = _NoCookies()

    @property  # type: ignore[misc]  # read-only: nobody sets cookies here
    def cookies(self) -> Cookies:
        return self._no_cookies

    async def send(self, request: Request, **options: Any) -> Response:
        try:
            answer = await super().send(request, **options)
        except DecodingError as error:
            raise OutcomeUnknown("the answer's content encoding is broken", request=request) from error
        if answer.is_closed:
            # It has been read. Its stream refers back to it: without that circle it is freed (with its tokens) at once.
            answer.stream = _READ
        return answer


# The fence of the request that this task sends.
_fence: ContextVar[Callable[[], None] | None] = ContextVar("fence", default=None)


class _FencedRequest(aiohttp.ClientRequest):
    """Asks the fence after the pool, the name server and TLS have been waited for, as the last thing of all."""

    async def send(self, conn: "Connection") -> aiohttp.ClientResponse:
        if (fence := _fence.get()) is not None:
            fence()
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: "Connection", content_length: int | None = None
    ) -> None:
        # A task of its own, some turns of the loop after `send`; the headers leave with the body's first bytes.
        if (fence := _fence.get()) is not None:
            try:
                fence()
            except Exception as error:
                assert conn.protocol is not None
                conn.protocol.set_exception(error)
                return
        await super().write_bytes(writer, conn, content_length)


class _Transport(AiohttpTransport):
    """httpx-aiohttp's transport, with errors told apart, URLs sent byte for byte, small answers read in one step."""

    client: aiohttp.ClientSession | None

    def __init__(self, connections: int, verify: ssl.SSLContext | bool) -> None:
        super().__init__(verify=verify, trust_env=False)
        self.connections = connections

    def get_client(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            request_class=_FencedRequest,
            connector=aiohttp.TCPConnector(
                limit=self.connections, ssl=self.ssl_context, keepalive_timeout=IDLE_CLIENT_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def handle_async_request(self, request: Request) -> Response:
        if self.client is None:
            self.client = self.get_client()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        body: bytes | AsyncIterator[bytes] | None
        try:
            body = request.content or None
        except RequestNotRead:
            assert isinstance(request.stream, AsyncByteStream)
            body = aiter(request.stream)
            headers = [header for header in headers if header[0].lower() != "transfer-encoding"]  # aiohttp sets it
        timeout = request.extensions.get("timeout", {})
        _fence.set(request.extensions.get("fence"))
        try:
            answer = await self.client.request(
                request.method,
                _url(request),
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=_client_timeout(
                    timeout.get("total"), timeout.get("connect"), timeout.get("read"), timeout.get("pool")
                ),
            )
            if answer.content_length is not None and answer.content_length <= _READ_AT_ONCE:
                return Response(answer.status, headers=answer.raw_headers, content=await answer.read(), request=request)
        except _BEFORE_SENDING as error:
            raise NotSent(type(error).__name__, request=request) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknown(type(error).__name__, request=request) from error
        return Response(answer.status, headers=answer.raw_headers, stream=_Stream(answer), request=request)


def _url(request: Request) -> yarl.URL:
    target = request.extensions.get("target")
    url = str(request.url) if target is None else f"{str(request.url).rstrip('/')}{target.decode('ascii')}"
    return yarl.URL(url, encoded=True)  # as it is: yarl would undo %27 and the like


class _Stream(AiohttpResponseStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in super().__aiter__():
                yield chunk
        except TransportError as error:
            raise OutcomeUnknown(f"the answer broke off: {type(error).__name__}") from error


@lru_cache
def _client_timeout(
    total: float | None, connect: float | None, read: float | None, pool: float | None
) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=read, connect=pool)
