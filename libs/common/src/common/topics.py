"""`python -m common.topics`: creates the topics with their settings; run again, it changes nothing."""

import asyncio
import os

import typer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from common.contracts.catalogue import TOPICS, dead_letter_topic

PARTITIONS = 6


async def create(bootstrap_servers: str, *, partitions: int = PARTITIONS, replication: int = 1) -> list[str]:
    """Creates what is missing, dead-letter topics included; answers their names."""
    wanted = [(topic.name, topic.configs) for topic in TOPICS]
    wanted += [(dead_letter_topic(topic.name), {"cleanup.policy": "delete"}) for topic in TOPICS if topic.readers]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        absent = [
            NewTopic(name, partitions, replication, topic_configs=configs)
            for name, configs in wanted
            if name not in present
        ]
        if absent:
            await admin.create_topics(absent)
        return [topic.name for topic in absent]
    finally:
        await admin.close()


if __name__ == "__main__":
    for name in asyncio.run(create(os.environ["KAFKA_BOOTSTRAP_SERVERS"])):
        typer.echo(f"created {name}")
