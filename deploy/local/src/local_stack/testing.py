"""PostgreSQL and a broker for a test session: started once, by pytest's controller, for all its workers."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local_stack.apache_kafka import ApacheKafka
from local_stack.broker import Broker
from local_stack.postgres import PostgresServer
from local_stack.supervisor import Supervisor

DATABASE_URL = "DATABASE_URL"
KAFKA_BOOTSTRAP_SERVERS = "KAFKA_BOOTSTRAP_SERVERS"
Kafka = Literal["embedded", "apache"]
_ROOM = 4 * 2**30


@dataclass(frozen=True)
class SessionServers:
    """What `start_test_servers` started. `environment` has DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS, always both."""

    environment: dict[str, str]
    _supervisor: Supervisor
    _directory: Path

    def stop(self) -> None:
        """Stop them and remove their data. May be called twice."""
        self._supervisor.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


def start_test_servers(kafka: Kafka = "embedded") -> SessionServers:
    """Start throw-away servers for what the environment does not name already.

    DATABASE_URL leads the superuser to the database `postgres`; the caller makes databases of its own from there. Where
    the user has set DATABASE_URL or KAFKA_BOOTSTRAP_SERVERS, that server is used and none is started in its place. Call
    it in the main thread of the process that ends last (see `Child`). ChildFailed or KafkaUnavailable with nothing left
    behind.
    """
    directory = Path(tempfile.mkdtemp(prefix="entrepot-tests-", dir=_in_memory()))
    postgres = PostgresServer(directory / "postgres")
    broker = Broker(directory / "broker") if kafka == "embedded" else ApacheKafka(directory / "kafka")
    started = {DATABASE_URL: postgres.url(), KAFKA_BOOTSTRAP_SERVERS: broker.bootstrap_servers}
    given = {name: os.environ[name] for name in started if os.environ.get(name)}
    servers = SessionServers(started | given, Supervisor(), directory)
    wanted = {DATABASE_URL: postgres, KAFKA_BOOTSTRAP_SERVERS: broker}
    try:
        servers._supervisor.start(*(server for name, server in wanted.items() if name not in given))
    except BaseException:
        servers.stop()
        raise
    return servers


def _in_memory() -> str | None:
    """A file system in memory with room, where there is one: each test makes and drops a database."""
    shared = Path("/dev/shm")  # noqa: S108 - the directory made in it is ours alone
    roomy = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _ROOM
    return str(shared) if roomy else None
