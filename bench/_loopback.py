"""A loopback stand-in for Amazon that costs next to nothing, so that a bench measures the client before it.

Run as `python _loopback.py`: prints its port, then answers patchListingsItem with fixed bytes until it is terminated.
"""

import asyncio
from typing import cast

import uvloop

_BODY = b'{"sku":"SKU-1","status":"ACCEPTED","submissionId":"f1dc291475dd11eabc550242ac130003","issues":[]}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 0000\r\n"
    b"x-amzn-RateLimit-Limit: 1000000.0\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_LENGTH = b"content-length:"


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := _end_of_request(self._received)) is not None:
            self._received = self._received[end:]
            self._transport.write(_ANSWER)


def _end_of_request(received: bytes) -> int | None:
    """Where the first request of `received` ends; None while it is incomplete."""
    head_ends = received.find(b"\r\n\r\n")
    if head_ends < 0:
        return None
    head = received[:head_ends].lower() + b"\r\n"
    at = head.find(_LENGTH)
    length = int(head[at + len(_LENGTH) : head.find(b"\r\n", at)]) if at >= 0 else 0
    end = head_ends + 4 + length
    return end if len(received) >= end else None


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
