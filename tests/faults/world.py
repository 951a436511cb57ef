"""The processes: PostgreSQL, Apache Kafka, the local Amazon and two replicas of each service, auth's at one address."""

import asyncio
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import asyncpg

from local_stack.apache_kafka import ApacheKafka
from local_stack.demo.hands import Amazon
from local_stack.ports import LOOPBACK, answers, free_port
from local_stack.postgres import PostgresServer
from local_stack.processes import Program
from local_stack.services import NAMES, SERVICES, create_account, environment
from local_stack.stack import INFRASTRUCTURE, Stack, start_stack
from local_stack.supervisor import Server, Service

REPLICAS = (0, 1)
# Eight services start at once, on two cores that others may use as well.
_STARTS_WITHIN = 300.0
# Ours look often, so that a run of two minutes holds many of each.
SHORT_DELAYS = {
    "SYNC_EVERY_SECONDS": "1",
    "READ_BACK_DELAYS": "0.3,0.5,1,2,5,10,10,10,10,10",
    "GET_ORDERS_EVERY_SECONDS": "2",
    "SYNC_ORDERS_EVERY_SECONDS": "1",
    "CONFIRM_READ_BACK_DELAYS": "0.3,0.5,1,2,5,10,10,10,10,10",
    "RESTOCK_REROUTE_DELAY_SECONDS": "0.2",
}
LOCAL_AMAZON = {
    "listing_delay_s": 0.2,
    "shipment_delay_s": 0.2,
    "search_lag_s": 0,
    "quotas": {"enabled": True, "scale": 10},
    "auto_consent": True,
}


class World:
    """A started world; `stop` ends it. Processes are started in the main thread only: a child dies with its thread."""

    def __init__(self) -> None:
        self.stack = Stack(
            Path(tempfile.mkdtemp(prefix="entrepot-faults-")),
            dict(os.environ) | {"ENTREPOT_KAFKA": "apache"},
            overrides=dict(SHORT_DELAYS),
        )
        for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
            self.stack.environment.pop(name, None)
        self.servers: dict[tuple[str, int], Service] = {}
        self.replicas: dict[str, list[str]] = {}

    def start(self) -> None:
        auth = _Balancer()
        self.stack.overrides["AUTH_URL"] = auth.url

        def started(name: str) -> None:
            if name == "addresses":
                auth.ports.append(self.stack.ports["auth"])

        start_stack((*INFRASTRUCTURE, *SERVICES), self.stack, started)
        for name in NAMES:
            first = self.stack.supervisor.servers[name]
            assert isinstance(first, Service)
            port = free_port()
            second = Service(
                Program(
                    name=f"{name}-1",
                    argv=first.program().argv,
                    env=environment(self.stack, name) | {"PORT": str(port), "REPLICA": "1"},
                ),
                f"http://{LOOPBACK}:{port}/readyz",
                self.stack.log_dir,
            )
            second.start_seconds = _STARTS_WITHIN
            self.servers |= {(name, 0): first, (name, 1): second}
            self.replicas[name] = [self.stack.addresses[name], f"http://{LOOPBACK}:{port}"]
        auth.ports.append(int(self.replicas["auth"][1].rsplit(":", 1)[1]))
        self.stack.supervisor.start(*(self.servers[name, 1] for name in NAMES))
        self.account = create_account(self.stack, "Shop")

    def stop(self) -> None:
        for server in (*self.servers.values(), *self.stack.supervisor.servers.values()):
            _signal(server, signal.SIGCONT)
        self.stack.supervisor.stop()

    @property
    def logs(self) -> Path:
        return self.stack.log_dir

    @property
    def bootstrap_servers(self) -> str:
        return self.stack.environment["KAFKA_BOOTSTRAP_SERVERS"]

    def amazon(self) -> Amazon:
        return Amazon(self.stack.addresses["sandbox"])

    async def query(self, service: str, sql: str, *parameters: Any) -> list[Any]:
        """Rows of a service's own tables; waits while PostgreSQL is away."""
        while True:
            try:
                connection = await asyncpg.connect(self.stack.environment[f"{service.upper()}_DATABASE_URL"], timeout=5)
                try:
                    return list(await connection.fetch(sql, *parameters))
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, TimeoutError):
                await asyncio.sleep(0.2)

    def kill(self, service: str, replica: int) -> None:
        self.servers[service, replica].kill()

    def launch(self, service: str, replica: int) -> None:
        self.servers[service, replica].launch()

    def freeze(self, service: str, replica: int) -> None:
        _signal(self.servers[service, replica], signal.SIGSTOP)

    def thaw(self, service: str, replica: int) -> None:
        _signal(self.servers[service, replica], signal.SIGCONT)

    async def serves(self, service: str, replica: int) -> None:
        """Waits until it is ready."""
        await self._ready(lambda: answers(self.servers[service, replica].health_url))

    async def restart_postgres(self) -> None:
        """An immediate stop: nothing is written, every connection is gone; then back."""
        server = self._infrastructure(PostgresServer)
        os.kill(server.child.pid, signal.SIGQUIT)
        await self._ready(lambda: server.child.returncode is not None)
        server.kill()
        server.launch()
        await self._ready(lambda: server.ready(server.child))

    async def stop_broker(self, seconds: float) -> None:
        """It stands still with its connections open. A lone Apache Kafka takes half a minute to start again."""
        server = self._infrastructure(ApacheKafka)
        _signal(server, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        _signal(server, signal.SIGCONT)

    def _infrastructure(self, kind: type[Server]) -> Server:
        return next(server for server in self.stack.supervisor.servers.values() if isinstance(server, kind))

    async def _ready(self, look: Any, within: float = _STARTS_WITHIN) -> None:
        async with asyncio.timeout(within):
            while not await asyncio.to_thread(look):
                await asyncio.sleep(0.05)


def _signal(server: Server, what: signal.Signals) -> None:
    try:
        os.kill(server.child.pid, what)
    except (RuntimeError, ProcessLookupError):
        return


class _Balancer:
    """One TCP address for the replicas of auth: each connection to the next one that accepts, as a cluster's service
    does. It does not notice one that stands still."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}"
        self.ports: list[int] = []
        self._turn = 0
        listens = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._run(listens)), daemon=True).start()
        listens.wait()

    async def _run(self, listens: threading.Event) -> None:
        server = await asyncio.start_server(self._forward, LOOPBACK, self._port)
        listens.set()
        await server.serve_forever()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        for offset in range(len(self.ports)):
            port = self.ports[(self._turn + offset) % len(self.ports)]
            try:
                there, back = await asyncio.open_connection(LOOPBACK, port)
            except OSError:
                continue
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
            return
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
