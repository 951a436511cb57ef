"""Apache Kafka 4 from its Maven artefacts (deploy/kafka/pom.xml): one KRaft node, broker and controller in one JVM."""

import os
import re
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from local_stack.ports import LOOPBACK, free_port
from local_stack.processes import Child, ChildFailed, Program
from local_stack.supervisor import Server

POM = Path(__file__).parents[3] / "kafka" / "pom.xml"
_MINIMUM_JAVA = 17
_JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",  # two cores: the parallel collectors' threads would only compete with the services
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class KafkaUnavailable(RuntimeError):
    """Java or Maven is missing or unsuitable, or the artefacts could not be fetched; the message says what to do."""


class ApacheKafka(Server):
    """Apache Kafka with its log in `data_dir`. A port once chosen (0 = any free one) is kept over restarts.

    The first start fetches the artefacts and formats `data_dir`; KafkaUnavailable when Java or Maven is missing.
    """

    start_seconds = 90.0

    def __init__(self, data_dir: Path, port: int = 0, log: Path | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port or free_port()
        self._controller_port = free_port()
        super().__init__("apache-kafka", log or self.data_dir.with_name(f"{self.data_dir.name}.log"))

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`, as every Kafka client takes it."""
        return f"{LOOPBACK}:{self.port}"

    def program(self) -> Program:
        java = find_java()
        classpath = f"{fetch_artefacts()}/*"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        properties = self._write_properties()
        if not (self.data_dir / "meta.properties").exists():
            self._format(java, classpath, properties)
        argv = (java, *_JVM_OPTIONS, "-cp", classpath, "kafka.Kafka", str(properties))
        return Program(name=self.name, argv=argv, cwd=self.data_dir, grace_seconds=30)

    def ready(self, child: Child) -> bool:
        return "Kafka Server started" in child.output()

    def _write_properties(self) -> Path:
        controller = f"{LOOPBACK}:{self._controller_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.bootstrap.servers": controller,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.bootstrap_servers},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers},CONTROLLER://{controller}",
            "log.dirs": str(self.data_dir),
            # one node can hold one copy
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # 50 partitions each cost seconds at the first use on a laptop
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            # a group forms as soon as its first member is there
            "group.initial.rebalance.delay.ms": "0",
        }
        path = self.data_dir.with_name(f"{self.data_dir.name}.properties")
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return path

    def _format(self, java: str, classpath: str, properties: Path) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        tool = (
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            f"--cluster-id={cluster_id}",
            "-c",
            str(properties),
        )
        argv = (java, *_JVM_OPTIONS, "-cp", classpath, *tool)
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        if run.returncode:
            raise ChildFailed(f"formatting {self.data_dir} for Apache Kafka failed:\n{run.stdout}{run.stderr}")


def find_java() -> str:
    """The `java` of JAVA_HOME, else of the PATH; KafkaUnavailable unless it is Java 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if java is None:
        where = f"JAVA_HOME ({home}) has no bin/java" if home else "there is no java on the PATH"
        raise KafkaUnavailable(f"Apache Kafka needs Java {_MINIMUM_JAVA} or newer, and {where}. {_java_advice()}")
    version = subprocess.run((java, "-version"), capture_output=True, text=True, check=False).stderr
    major = re.search(r'version "(\d+)', version)
    if major is None or int(major[1]) < _MINIMUM_JAVA:
        said = version.strip().partition("\n")[0] or "nothing"
        raise KafkaUnavailable(
            f"Apache Kafka needs Java {_MINIMUM_JAVA} or newer; {java} says: {said}. {_java_advice()}"
        )
    return java


def fetch_artefacts(pom: Path = POM, say: Callable[[str], None] = print) -> Path:
    """The directory of Kafka's jars, fetched by Maven when the POM is newer than they are; says so, since it downloads.

    KafkaUnavailable when Maven is missing or fails, with the end of what Maven said.
    """
    libraries = pom.parent / "target" / "libs"
    stamp = libraries / ".complete"
    if stamp.exists() and stamp.stat().st_mtime >= pom.stat().st_mtime:
        return libraries
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(
            "fetching Apache Kafka needs Maven, and there is no mvn on the PATH. "
            "Install it (Debian: apt-get install maven) or set KAFKA_BOOTSTRAP_SERVERS to a broker that runs."
        )
    say(f"fetching Apache Kafka's artefacts with Maven (about 43 MB, first time only) into {libraries}")
    shutil.rmtree(libraries, ignore_errors=True)
    argv = (maven, "--batch-mode", "--no-transfer-progress", "-q", "-f", str(pom), "dependency:copy-dependencies")
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode:
        tail = "\n".join((run.stdout + run.stderr).splitlines()[-12:])
        raise KafkaUnavailable(f"Maven could not fetch Apache Kafka (is the repository reachable?); it said:\n{tail}")
    stamp.touch()
    return libraries


def _java_advice() -> str:
    return (
        "Install one (Debian: apt-get install openjdk-17-jre-headless), set JAVA_HOME to one, "
        "or set KAFKA_BOOTSTRAP_SERVERS to a broker that runs."
    )
