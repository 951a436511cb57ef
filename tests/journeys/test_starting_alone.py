"""A service that starts before its database and its broker says what is missing, and serves when they come."""

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from common import migrations, topics
from common.testing.plugin import KEY_RING
from local_stack.broker import Broker
from local_stack.ports import free_port
from local_stack.postgres import PostgresServer
from local_stack.processes import Child, Program

pytestmark = [pytest.mark.journey, pytest.mark.fault("F5"), pytest.mark.fault("F6")]


def readiness(port: int) -> tuple[int, dict[str, str]]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status, json.loads(answer.read())["checks"]
    except HTTPError as refused:
        return refused.code, json.loads(refused.read())["checks"]
    except OSError:
        return 0, {}


async def until_ready(port: int, *, status: int, **checks: str) -> None:
    async with asyncio.timeout(60):
        while True:
            seen, said = await asyncio.to_thread(readiness, port)
            if seen == status and all(text in said.get(name, "") for name, text in checks.items()):
                return
            await asyncio.sleep(0.2)


async def test_a_service_starts_before_everything_it_needs(tmp_path: Path) -> None:
    postgres, broker, port = PostgresServer(tmp_path / "postgres"), Broker(tmp_path / "broker"), free_port()
    environment = dict(os.environ) | {
        "ENVIRONMENT": "test",
        "PORT": str(port),
        "DATABASE_URL": postgres.url("orders"),
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "AUTH_URL": "http://127.0.0.1:1",
        "SERVICE_KEY": "none",
        "KEY_RING": KEY_RING,
    }
    program = Program(name="orders", argv=(sys.executable, "-m", "orders_service", "serve"), env=environment)
    service = Child(program, tmp_path / "orders.log")
    try:
        await until_ready(port, status=503, database="check DATABASE_URL", kafka="check KAFKA_BOOTSTRAP_SERVERS")
        postgres.start()
        url = postgres.create_service_database("orders")
        await until_ready(port, status=503, database="python -m orders_service migrate")
        await migrations.upgrade(url, "orders_service")
        await until_ready(port, status=200, database="ok", kafka="events wait in the outbox")
        broker.start()
        await topics.create(broker.bootstrap_servers)
        await until_ready(port, status=200, database="ok", kafka="ok")
        service.check()
    finally:
        service.stop()
        broker.stop()
        postgres.stop()
    logged = [json.loads(line) for line in service.output().splitlines()]
    waits = {line["event"] for line in logged}
    assert {"loop_waits", "service_stopped"} <= waits
    assert {line["event"] for line in logged if "exception" in line} == set()
