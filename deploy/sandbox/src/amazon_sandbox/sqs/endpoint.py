"""One SQS request from its bytes to its answer, long polling included."""

import asyncio
import time

from starlette.types import Receive

from amazon_sandbox.sqs.actions import ACTIONS, Sqs, SqsError, wait_seconds
from amazon_sandbox.sqs.protocol import Exchange, region_of
from amazon_sandbox.wire import Answer
from amazon_sandbox.world import World

# The clock may be moved, and what was on its way arrives: whoever waits has to look again.
_LOOK_AGAIN_S = 0.05


async def answer_sqs(
    world: World, headers: dict[bytes, bytes], raw_path: bytes, body: bytes, receive: Receive
) -> Answer:
    """The answer of either protocol; a long poll ends with a message, its time, or the client."""
    exchange = Exchange(headers, raw_path, body)
    host = headers.get(b"host", b"localhost").decode("latin-1")
    sqs = Sqs(world, region_of(headers), f"http://{host}")
    try:
        parameters = exchange.parameters()
        action = ACTIONS[exchange.action]
        result = action(sqs, parameters)
        if exchange.action == "ReceiveMessage" and not result:
            end = time.monotonic() + wait_seconds(sqs, parameters)
            gone = asyncio.ensure_future(receive())
            try:
                while not result and time.monotonic() < end and not gone.done():
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    world.settle()
                    result = {} if gone.done() else action(sqs, parameters)
            finally:
                gone.cancel()
    except SqsError as error:
        return exchange.refusal(error)
    return exchange.answer(result)
