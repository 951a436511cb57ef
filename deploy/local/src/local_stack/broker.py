"""The embedded Kafka-protocol broker: the Kafka part of `noida-db`, from its wheel (docs/adr/0002-local-broker.md)."""

import importlib.util
import stat
from pathlib import Path

from local_stack.ports import LOOPBACK, accepts, free_port
from local_stack.processes import Child, Program
from local_stack.supervisor import Server


class Broker(Server):
    """A single broker with its topics in `data_dir`. A port once chosen (0 = any free one) is kept over restarts.

    It holds every message in memory and saves all of them anew every second or two while messages come in: meant for
    some ten thousand, and `kill()` loses what was acknowledged since the last save (`stop()` does not). Nor does it
    expel a consumer that was killed, so use a static `group_instance_id` and one consumer per group.
    """

    def __init__(self, data_dir: Path, port: int = 0, log: Path | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port or free_port()
        super().__init__("broker", log or self.data_dir.with_name(f"{self.data_dir.name}.log"))

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`, as every Kafka client takes it."""
        return f"{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        argv = [str(_binary()), "start", "--data-dir", str(self.data_dir), "--host", LOOPBACK]
        argv += ["--only", "kafka", "--kafka-port", str(self.port)]
        return Program(name=self.name, argv=tuple(argv), cwd=self.data_dir, grace_seconds=30)

    def ready(self, child: Child) -> bool:
        return accepts(self.port)


def _binary() -> Path:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise RuntimeError("the wheel noida-db is not installed: run `make install`")
    binary = Path(spec.origin).with_name("noida-db")
    if not binary.stat().st_mode & stat.S_IXUSR:  # some installers drop the bit
        binary.chmod(0o755)
    return binary
