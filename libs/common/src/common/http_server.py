"""uvicorn with bounds of our own on what a stranger may send: heads, silence, connections, upgrades, nonsense.

Behind a head stands the application (`front_door`), which asks for credentials before it reads a body.
"""

import asyncio
from asyncio.events import TimerHandle
from typing import Any

import httptools
import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from common import http
from common.settings import ServiceSettings

# Far above what any client of ours sends; a token of an external issuer may be 8 KiB.
LARGEST_HEAD = 32 * 1024
MOST_HEADERS = 100

# A connection is for one hop: what it would upgrade to is nothing that we speak, and the request is good without.
_OF_THE_UPGRADE = (b"upgrade", b"http2-settings", b"connection")


class BoundedHttp(HttpToolsProtocol):
    """One connection. Refusals are problem+json and end it."""

    bounds: ServiceSettings  # set by `configuration`
    _head_bytes = 0
    _in_head = True
    _refused = False
    _timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.most_connections:
            self._refuse(503, "too-many-connections", "Too many connections", "Use fewer and keep them; try again soon")
            return
        self._cut_after(self.bounds.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            if self._timer is None:
                self._cut_after(self.bounds.head_seconds)
            self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            if not self._refused:
                self.send_400_response("Invalid HTTP request received.")
            return
        if self._in_head and self._head_bytes > LARGEST_HEAD:
            self._refuse_head()

    def _without_upgrade(self, rest: bytes) -> None:
        """A stock Java client offers `Upgrade: h2c` with its first request: the parser would take the body for HTTP/2
        and drop it. Read again without the offer, the request is an ordinary one (RFC 9110 7.8: it may be ignored)."""
        if self.scope.get("method", "") == "CONNECT" or self.parser.get_method() == b"CONNECT":
            self._refuse(400, "malformed-http", "This is no proxy", "Send the request to the service itself")
            return
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name not in _OF_THE_UPGRADE:
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        self.data_received(b"".join([*head, b"\r\n"]))
        if rest:
            self.data_received(rest)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        if self._refused or self.parser.should_upgrade():
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._refuse_head()
            return
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not (self._refused or self.parser.should_upgrade()):
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused or self.parser.should_upgrade():
            return
        self._in_head = True
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and not self._in_head:
            self._cut_after(self.bounds.drain_seconds)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed-http", "The request is not HTTP as we read it", "Send HTTP/1.1 (RFC 9112)")

    def _refuse_head(self) -> None:
        title = f"A request's line and headers may be {LARGEST_HEAD} bytes and {MOST_HEADERS} headers"
        self._refuse(431, "headers-too-large", title, "Send fewer or shorter headers, a shorter query")

    def _refuse(self, status: int, slug: str, title: str, fix: str) -> None:
        self._refused = True
        body = msgspec.json.encode({"type": f"/problems/{slug}", "title": title, "status": status, "fix": fix})
        head = b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def _cut_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        if self._in_head and self._head_bytes and not self.transport.is_closing():
            self._refuse(408, "request-too-slow", "The request did not come to its end", "Send it in one go")
        self.transport.close()


def configuration(app: Any, settings: ServiceSettings, *, port: int) -> uvicorn.Config:
    """How every service is served."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        http=type("Http", (BoundedHttp,), {"bounds": settings}),
        ws="none",
        log_config=None,
        access_log=False,
        timeout_keep_alive=http.IDLE_SERVER_SECONDS,
        timeout_graceful_shutdown=15,
        server_header=False,
    )
