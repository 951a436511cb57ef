"""The service as a whole: all roles work over a real broker."""

from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from common import topics
from common.contracts.catalogue import EVENTS, TOPICS
from common.contracts.compliance import TOPIC, OrderHeld, OrderRouted, SourceComplianceChanged
from common.contracts.event import Event, decode, encode
from common.testing.identity import Issuer
from common.testing.plugin import RunService
from compliance_service.app import SERVICE
from compliance_service.testing import Merchant


def test_the_topics_read_are_those_the_catalogue_names() -> None:
    assert set(SERVICE.topics) == {topic.name for topic in TOPICS if "compliance" in topic.readers}


@pytest.mark.wire
@pytest.mark.row("D5")
async def test_with_all_roles_orders_come_and_routes_leave_over_the_broker(
    run_service: RunService, issuer: Issuer, kafka: str
) -> None:
    await topics.create(kafka)
    running = await run_service(SERVICE, roles="api,worker", restock_reroute_delay_seconds=0)
    merchant = Merchant(running, issuer)
    source = await merchant.source("One", {"A": 5}, attested=False)
    order = merchant.order("O-1", {"A": 2})
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await producer.send_and_wait(order.TOPIC, encode(order, event_id=uuid4(), source="test"), key=order.key().encode())
    await producer.stop()
    heard = listen(kafka, merchant.account_id)

    held = await anext(heard)
    assert isinstance(held, OrderHeld)
    await merchant.attest(source)
    changed = await anext(heard)
    assert isinstance(changed, SourceComplianceChanged)
    routed = await anext(heard)
    assert isinstance(routed, OrderRouted)
    assert routed.decision_version == 2
    await heard.aclose()


async def listen(kafka: str, account_id: UUID) -> AsyncGenerator[Event, None]:
    """What leaves on `entrepot.compliance` for this account, as a plain consumer sees it."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for message in consumer:
            event = decode(message.value, EVENTS).event
            if event.account_id == account_id:
                yield event
    finally:
        await consumer.stop()
