"""The ASGI application: SP-API and LWA on a short way of their own, the pages and dials on Starlette."""

import asyncio
from uuid import uuid4

import msgspec
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from amazon_sandbox import lwa
from amazon_sandbox.connections import abort_connection, close_connection
from amazon_sandbox.dials import dial_routes
from amazon_sandbox.documents import presigned, transfer
from amazon_sandbox.faults import Fault
from amazon_sandbox.marketplaces import RegionCode
from amazon_sandbox.quotas import STATIC, BucketKey
from amazon_sandbox.requests import Request
from amazon_sandbox.sp_api import (
    NO_OPERATION,
    authorized_caller,
    perform,
    route,
    static_caller,
    take_quota,
)
from amazon_sandbox.sqs.endpoint import answer_sqs
from amazon_sandbox.sqs.protocol import is_for_sqs
from amazon_sandbox.static_cases import StaticOperation
from amazon_sandbox.wire import Answer, SpApiError, error_of, quota_exceeded
from amazon_sandbox.world import World

_LWA_PATH = b"/auth/o2/token"
_PAGES = (b"/sandbox", b"/apps/", b"/schemas/")
_DOCUMENTS = presigned.PATH.encode()
_RATE_LIMIT = b"x-amzn-ratelimit-limit"

_Header = tuple[bytes, bytes]


class AmazonApp:
    """`regions` says which region's SP-API each local port serves; LWA, consent and dials answer on all of them."""

    def __init__(self, world: World, regions: dict[int, RegionCode]) -> None:
        self._world = world
        self._regions = regions
        self._pages = Starlette(routes=dial_routes(world))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._world.settle()
        raw_path: bytes = scope["raw_path"]
        if scope["method"] == "POST" and is_for_sqs(raw_path):
            await self._sqs(scope, receive, send)
            return
        if raw_path == b"/" or raw_path.startswith(_PAGES):
            await self._pages(scope, receive, send)
            return
        body = await _read_body(receive)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = str(uuid4()).encode()
        extra: list[_Header] = [(b"x-amzn-requestid", request_id)]
        if raw_path == _LWA_PATH and scope["method"] == "POST":
            operation, answer, fault = self._token(body, headers)
        elif raw_path.startswith(_DOCUMENTS):
            operation, answer, fault = self._document(scope, headers, body)
        else:
            operation, answer, fault = self._sp_api(scope, headers, body, extra)
        if fault is None or fault.lets_effect_happen:
            _take_effect(answer)
        calls = self._world.calls  # of the world that was asked: a slow answer may outlast it
        if fault is not None:
            answer = await _distorted(fault, await _whole(answer))
        if answer.status >= 300:  # FACTS 3.3
            extra = [header for header in extra if header[0] != _RATE_LIMIT]
        calls[operation, 0 if fault is not None and fault.never_answers else answer.status] += 1
        await self._deliver(scope, receive, send, answer, extra, fault)

    async def _sqs(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        answer = await answer_sqs(self._world, dict(scope["headers"]), scope["raw_path"], body, receive)
        extra = [(b"x-amzn-requestid", str(uuid4()).encode())]
        await self._deliver(scope, receive, send, answer, extra, None)

    def _token(self, body: bytes, headers: dict[bytes, bytes]) -> tuple[str, Answer, Fault | None]:
        world = self._world
        try:
            parameters = lwa.read_parameters(body, headers.get(b"content-type", b"").decode("latin-1"))
            fault = world.faults.next_for(
                lwa.OPERATION, lwa.seller_behind(world, parameters), "", b"", world.clock.now_ms()
            )
            # Half an answer needs a whole one first; any other fault without effect must not use up the code.
            if fault is not None and not fault.lets_effect_happen and fault.kind != "truncated":
                return lwa.OPERATION, Answer(200), fault
            return lwa.OPERATION, lwa.token(world, parameters), fault
        except lwa.OAuthError as error:
            return lwa.OPERATION, error.answer(), None

    def _document(self, scope: Scope, headers: dict[bytes, bytes], body: bytes) -> tuple[str, Answer, Fault | None]:
        wish = transfer.transfer_of(
            scope["method"], scope["raw_path"], scope["query_string"], headers.get(b"content-type", b""), body
        )
        world = self._world
        region = self._regions.get(scope["server"][1], "")
        fault = world.faults.next_for(
            wish.operation, transfer.owner_of(world, wish), region, scope["query_string"], world.clock.now_ms()
        )
        return wish.operation, transfer.perform(world, wish), fault

    def _sp_api(
        self, scope: Scope, headers: dict[bytes, bytes], body: bytes, extra: list[_Header]
    ) -> tuple[str, Answer, Fault | None]:
        world, operation = self._world, NO_OPERATION
        region = self._regions.get(scope["server"][1])
        try:
            if region is None:
                raise SpApiError(404, "NotFound", "SP-API answers on the ports of the regions, not on this one.")
            token = headers.get(b"x-amz-access-token")
            request = Request(
                region,
                scope["method"],
                scope["raw_path"],
                scope["query_string"],
                token.decode("latin-1") if token else None,
                body,
                headers,
                _base_url(scope, headers),
            )
            static = world.static.route(request.method, request.raw_path) if world.static is not None else None
            if static is not None:
                operation = static.name
                return operation, *self._published(static, request)
            routed = route(request)
            operation = routed.operation.name
            caller = authorized_caller(world, request, routed.operation)
            seller = caller.seller
            rate_limit = take_quota(world, request, operation, seller, caller.token.app.client_id)
            fault = world.faults.next_for(
                operation, seller.selling_partner_id, region, scope["query_string"], world.clock.now_ms()
            )
            answer = perform(world, routed, caller, request)
        except SpApiError as error:
            return operation, error.answer(), None
        if rate_limit is not None:
            extra.append((_RATE_LIMIT, rate_limit))
        return operation, answer, fault

    def _published(self, operation: StaticOperation, request: Request) -> tuple[Answer, Fault | None]:
        """Static mode: Amazon's own answer to a call that holds a token (FACTS 11.4), at its sandbox's pace (3.11)."""
        world, static = self._world, self._world.static
        assert static is not None
        seller_id, client_id = static_caller(world, request)
        key = BucketKey(client_id, seller_id, request.region, operation.path, STATIC)
        if world.settings.quotas.enabled and world.quotas.take([key], world.clock.now_ms(), world.settings.quotas):
            raise quota_exceeded()
        fault = world.faults.next_for(
            operation.name, seller_id, request.region, request.query_string, world.clock.now_ms()
        )
        choice = world.static_choices.get((operation.method, operation.path))
        return static.answer(operation, request.raw_path, request.query_string, request.body, choice), fault

    async def _deliver(
        self, scope: Scope, receive: Receive, send: Send, answer: Answer, extra: list[_Header], fault: Fault | None
    ) -> None:
        if fault is not None and fault.never_answers:
            if fault.kind == "timeout":
                await asyncio.sleep(fault.wait_s)
            await abort_connection(scope, receive)
            return
        headers = [
            (b"date", self._world.clock.date_header()),
            (b"content-length", str(len(answer.body)).encode()),
            *answer.headers,
            *extra,
        ]
        if answer.body or answer.pieces is not None:
            headers.append((b"content-type", answer.content_type))
        if answer.status == 204 or answer.pieces is not None:
            headers = [header for header in headers if header[0] != b"content-length"]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if fault is not None and fault.kind == "truncated" and answer.body:
            await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
            await close_connection(scope, receive)
            return
        if answer.pieces is not None:
            async for piece in answer.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": answer.body})


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    chunks = [body]
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


def _base_url(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """This server as the caller knows it.

    A client that takes every endpoint for https cuts one letter too many off `http://host` for its Host header
    (python-amazon-sp-api does): the address of the connection stands in.
    """
    host, port = scope["server"]
    told = headers.get(b"host", b"").decode("latin-1")
    local = f"{host}:{port}"
    return f"http://{local if told in ('', local[1:], f'ocalhost:{port}') else told}"


async def _whole(answer: Answer) -> Answer:
    """The answer with all its pieces in its body, so that a fault can cut it."""
    if answer.pieces is None:
        return answer
    body = b"".join([piece async for piece in answer.pieces])
    return msgspec.structs.replace(answer, body=body, pieces=None)


def _take_effect(answer: Answer) -> None:
    if answer.effect is not None:
        answer.effect()


async def _distorted(fault: Fault, answer: Answer) -> Answer:
    """What the caller sees of `answer` when it runs into `fault`."""
    if fault.kind == "slow":
        await asyncio.sleep(fault.wait_s)
        return answer
    if fault.kind == "status":
        return fault_error(fault)
    if fault.kind == "html":
        page = b"<html><head><title>Service Unavailable</title></head><body><h1>Service Unavailable</h1></body></html>"
        return Answer(fault.status or 503, page, content_type=b"text/html")
    if fault.kind == "empty":
        return Answer(200)
    if fault.kind == "malformed_json":
        return Answer(200, b'{"payload": {"orders": [{"orderId": ')
    return answer


def fault_error(fault: Fault) -> Answer:
    """The error Amazon would give with this status: OAuth-shaped for tokens, else an error list."""
    status = fault.status or 500
    if fault.operation == lwa.OPERATION:
        error = {400: "invalid_grant", 401: "invalid_client"}.get(status, "server_error")
        return lwa.OAuthError(error, "The service asked for this error", status).answer()
    return error_of(status).answer()
