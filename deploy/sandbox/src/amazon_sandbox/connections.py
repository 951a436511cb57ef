"""uvicorn's HTTP protocol with the connection within reach of the application, so that faults can cut it."""

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "amazon_sandbox.transport"


class CuttableProtocol(HttpToolsProtocol):
    """Each request's scope carries its transport as an ASGI extension."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"transport": self.transport}}

    @staticmethod
    def transport_of(scope: Scope) -> asyncio.Transport:
        transport: asyncio.Transport = scope["extensions"][_EXTENSION]["transport"]
        return transport


async def abort_connection(scope: Scope, receive: Receive) -> None:
    """Ends the connection at once: nothing more is sent, the client sees a reset or an early end."""
    CuttableProtocol.transport_of(scope).abort()
    await _until_gone(receive)


async def close_connection(scope: Scope, receive: Receive) -> None:
    """Ends the connection once what was written has left."""
    CuttableProtocol.transport_of(scope).close()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    """uvicorn takes an unfinished answer for a mistake unless it knows that the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
