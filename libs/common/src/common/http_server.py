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
_OF_THE_UPGRADE = (b"upgrade", b"http2-settings")
# In what arrives at once; each is read twice.
_MOST_OFFERS = 20


class BoundedHttp(HttpToolsProtocol):
    """One connection. Refusals are problem+json and end it."""

    bounds: ServiceSettings  # set by `configuration`
    _head_bytes = 0
    _loose_bytes = 0  # since the last byte of a body: the framing of chunks, their extensions, trailers
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

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        waiting, offers = [data], 0
        while waiting and not self._refused:
            part = waiting.pop()
            self._count(part)
            try:
                self.parser.feed_data(part)
            except httptools.HttpParserUpgrade as upgrade:
                offers += 1
                if offers > _MOST_OFFERS:
                    self.send_400_response("")
                    return
                waiting += [part[upgrade.args[0] :], *self._without_upgrade()]
            except httptools.HttpParserError:
                if not self._refused:
                    self.send_400_response("")
                return
        if max(self._head_bytes, self._loose_bytes) > LARGEST_HEAD and not self._refused:
            self._refuse_head()

    def _count(self, data: bytes) -> None:
        if not self._in_head:
            self._loose_bytes += len(data)
        elif self._head_bytes or data.strip(b"\r\n"):  # an empty line between requests is nothing (RFC 9112 2.2)
            self._head_bytes += len(data)
            if self._timer is None and not self._answering:
                self._cut_after(self.bounds.head_seconds)

    def _without_upgrade(self) -> list[bytes]:
        """A stock Java client offers `Upgrade: h2c` with its first request: the parser would take the body for HTTP/2
        and drop it. Read again without the offer, the request is an ordinary one (RFC 9110 7.8: it may be ignored)."""
        if self.parser.get_method() == b"CONNECT":
            self._refuse(400, "malformed-http", "This is no proxy", "Send the request to the service itself")
            return []
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in self.headers:
            kept = value
            if name == b"connection":
                kept = b", ".join(token for token in value.split(b",") if token.strip().lower() not in _OF_THE_UPGRADE)
            if name not in _OF_THE_UPGRADE and kept:
                head += [name, b": ", kept, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self._head_bytes = 0
        return [b"".join([*head, b"\r\n"])]

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are read by nobody
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._refused or self.parser.should_upgrade():
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > LARGEST_HEAD or len(self.headers) > MOST_HEADERS:
            self._refuse_head()
            return
        self._in_head, self._head_bytes, self._loose_bytes = False, 0, 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not (self._refused or self.parser.should_upgrade()):
            self._loose_bytes = 0
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused or self.parser.should_upgrade():
            return
        self._in_head, self._loose_bytes = True, 0
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or self._answering:
            return
        if not self._in_head:  # the body of what was answered is still coming
            self._cut_after(self.bounds.drain_seconds)
        elif self._head_bytes:
            self._cut_after(self.bounds.head_seconds)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed-http", "The request is not HTTP as we read it", "Send HTTP/1.1 (RFC 9112)")

    def _refuse_head(self) -> None:
        title = f"A request's line and headers may be {LARGEST_HEAD} bytes and {MOST_HEADERS} headers"
        self._refuse(431, "headers-too-large", title, "Send fewer or shorter headers, a shorter query")

    def _refuse(self, status: int, slug: str, title: str, fix: str) -> None:
        """Answers and ends the connection; nothing more of it is read. An answer that is under way is not written into:
        it goes to its end, and the connection ends behind it."""
        self._refused = True
        self._stop_timer()
        if self._answering:
            self.cycle.keep_alive = False
            if self._in_head or self.cycle.response_started:
                return
            self.cycle.disconnected = True  # its own body is what is refused
            self.cycle.message_event.set()
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
