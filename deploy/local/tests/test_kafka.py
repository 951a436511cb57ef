"""The embedded broker and Apache Kafka: the same API, and what our relay and consumers need of either."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local_stack.apache_kafka import ApacheKafka, KafkaUnavailable, fetch_artefacts, find_java
from local_stack.broker import Broker

pytestmark = pytest.mark.wire

IsGone = Callable[[int], bool]
Kafka = Broker | ApacheKafka

# Apache Kafka is a download and ten seconds: part of `make test-kafka`, which sets this
_APACHE = pytest.mark.skipif(
    os.environ.get("ENTREPOT_KAFKA") != "apache", reason="runs on Apache Kafka in `make test-kafka`"
)


@pytest.fixture(params=[Broker, pytest.param(ApacheKafka, marks=_APACHE)])
def kafka(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kafka]:
    server: Kafka = request.param(tmp_path / "kafka")
    server.start()
    yield server
    server.stop()


async def produce(kafka: Kafka, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, enable_idempotence=True) as producer:
        await asyncio.gather(*[await producer.send(topic, value, key=b"key") for value in values])


async def consume(kafka: Kafka, topic: str, count: int, **settings: object) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **settings,
    )
    async with consumer:
        values = [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]
        if "group_id" in settings:
            await consumer.commit()
        return values


async def create_topic(kafka: Kafka, topic: str, **configs: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1, topic_configs=configs)])
    finally:
        await admin.close()


async def test_an_idempotent_producer_keeps_the_order_of_a_key(kafka: Kafka) -> None:
    await create_topic(kafka, "events", **{"cleanup.policy": "compact"})
    sent = [str(number).encode() for number in range(500)]
    await produce(kafka, "events", *sent)
    assert await consume(kafka, "events", 500) == sent


async def test_a_group_resumes_after_its_commit_over_a_clean_stop(kafka: Kafka) -> None:
    group = {"group_id": "orders", "group_instance_id": "orders-0"}
    await create_topic(kafka, "events")
    await produce(kafka, "events", b"1", b"2", b"3")
    assert await consume(kafka, "events", 2, **group, max_poll_records=1) == [b"1", b"2"]
    kafka.stop()
    kafka.start()
    assert await consume(kafka, "events", 1, **group) == [b"3"]


async def test_an_aborted_transaction_is_not_seen(kafka: Kafka) -> None:
    await create_topic(kafka, "events")
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id="relay") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait("events", b"aborted")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait("events", b"committed")
    assert await consume(kafka, "events", 1, isolation_level="read_committed") == [b"committed"]


def test_it_stops_and_leaves_no_process(kafka: Kafka, is_gone: IsGone) -> None:
    pid = kafka.child.pid
    kafka.stop()
    assert is_gone(pid)


def test_a_missing_java_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match=r"Java 17 or newer, and JAVA_HOME .* has no bin/java\. Install one"):
        find_java()


def test_a_java_that_is_too_old_is_said_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match=r'needs Java 17 or newer; .*java says: openjdk version "11\.0\.2"'):
        find_java()


def test_a_missing_maven_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pom = tmp_path / "pom.xml"
    shutil.copy(Path(__file__).parents[2] / "kafka" / "pom.xml", pom)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match="no mvn on the PATH"):
        fetch_artefacts(pom)
