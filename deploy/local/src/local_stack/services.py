"""What stands on PostgreSQL and the broker: databases, topics, service keys, the local Amazon, four services."""

import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys

import asyncpg

from common import migrations, topics
from local_stack.broker import Broker
from local_stack.ports import LOOPBACK, accepts, free_port
from local_stack.postgres import PostgresServer
from local_stack.processes import ChildFailed, Program
from local_stack.stack import Component, Stack
from local_stack.supervisor import Server, Service

NAMES = ("auth", "listings", "orders", "compliance")
REGIONS = ("na", "eu", "fe")
# Where people expect them while developing; a port that is taken is replaced by a free one.
PORTS = {"auth": 8001, "listings": 8002, "orders": 8003, "compliance": 8004, "sandbox": 9400}
CALLBACK_PATH = "/v1/oauth/callback"
LOGIN_PATH = "/v1/oauth/login"


def _databases(stack: Stack, _: int) -> Server | None:
    asyncio.run(_migrate_all({name: _database(stack, name) for name in NAMES}))
    return None


def _database(stack: Stack, name: str) -> str:
    server = stack.supervisor.servers.get("postgres")
    if isinstance(server, PostgresServer):
        url = server.create_service_database(name)
    else:
        url = asyncio.run(_create_elsewhere(stack.environment["DATABASE_URL"], name))
    stack.environment[f"{name.upper()}_DATABASE_URL"] = url
    return url


async def _create_elsewhere(admin_url: str, name: str) -> str:
    """On a server that is not ours: a database per service, all owned by the user of DATABASE_URL."""
    connection = await asyncpg.connect(admin_url)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
    return f"{admin_url.rsplit('/', 1)[0]}/{name}"


async def _migrate_all(urls: dict[str, str]) -> None:
    # One after another: Alembic's context is global to the process.
    for name, url in urls.items():
        await migrations.upgrade(url, f"{name}_service")


def _topics(stack: Stack, _: int) -> Server | None:
    asyncio.run(topics.create(stack.environment["KAFKA_BOOTSTRAP_SERVERS"], partitions=3))
    return None


def _addresses(stack: Stack, _: int) -> Server | None:
    """Chooses the ports that others must know before anything listens on them."""
    for name in (*NAMES, "sandbox"):
        preferred = stack.preferred_ports.get(name, 0)
        stack.ports[name] = preferred if preferred and not accepts(preferred) else free_port()
        stack.addresses[name] = f"http://{LOOPBACK}:{stack.ports[name]}"
    for region in REGIONS:
        stack.ports[f"sandbox-{region}"] = free_port()
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    keys = stack.state_dir / "key_ring"
    if not keys.exists():
        keys.touch(mode=0o600)
        keys.write_text(f"local:{key}")
    stack.environment["KEY_RING"] = keys.read_text()
    for name in NAMES:
        stack.environment[f"SERVICE_KEY_{name.upper()}"] = f"ent_{secrets.token_urlsafe(32)}"
    return None


def _service_keys(stack: Stack, _: int) -> Server | None:
    others = [name for name in NAMES if name != "auth"]
    run_command(stack, "auth", "register-service-key", *others)
    return None


def run_command(stack: Stack, name: str, *arguments: str) -> str:
    """Runs a command of a service with its environment; its stdout. ChildFailed with its stderr."""
    done = subprocess.run(
        [sys.executable, "-m", f"{name}_service", *arguments],
        env=environment(stack, name),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChildFailed(f"{name} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def create_account(stack: Stack, name: str) -> dict[str, str]:
    """A tenant with a key of every scope, made by auth's own command: `account_id`, `key`."""
    made: dict[str, str] = json.loads(run_command(stack, "auth", "create-account", name, "--json"))
    return made


def developer_key(stack: Stack) -> str:
    """The key of this state directory's own account, made at its first start."""
    kept = stack.state_dir / "developer_key"
    if not kept.exists():
        made = create_account(stack, "Developer")["key"]
        kept.touch(mode=0o600)
        kept.write_text(made)
    return kept.read_text()


def where_to_go(stack: Stack, key: str) -> list[str]:
    """What a developer needs of a stack that runs: pages, broker, the local Amazon and its clock, a key and its use."""
    amazon = stack.addresses["sandbox"]
    consent = f"{amazon}/apps/authorize/consent?application_id=amzn1.sellerapps.app.entrepot-dev-na&state=demo"
    auth = stack.addresses["auth"]
    return [
        *(f"{name:<11} {stack.addresses[name]}/docs" for name in NAMES),
        f"broker      {stack.environment['KAFKA_BOOTSTRAP_SERVERS']}",
        f"amazon      {amazon}/sandbox (its state; dials in deploy/sandbox/README.md), consent {consent}",
        f"time        curl -X POST {amazon}/sandbox/clock -d '{{\"advance_s\": 3600}}'   moves Amazon and us",
        f"key         {key}",
        f"            curl -X POST {auth}/v1/token -H 'Authorization: Bearer {key}'   answers a token",
        f"logs        {stack.log_dir}",
    ]


def _sandbox(stack: Stack, port: int) -> Server:
    argv = [sys.executable, "-m", "amazon_sandbox", "--port", str(port), "--auto-consent"]
    argv += ["--redirect-uri", stack.addresses["auth"] + CALLBACK_PATH]
    argv += ["--login-uri", stack.addresses["auth"] + LOGIN_PATH]
    for region in REGIONS:
        argv += [f"--{region}-port", str(stack.ports[f"sandbox-{region}"])]
    program = Program(name="sandbox", argv=tuple(argv), env=dict(os.environ))
    return Service(program, f"{stack.addresses['sandbox']}/sandbox", stack.log_dir)


def service(stack: Stack, name: str) -> Server:
    """One of the four services, all its roles in one process."""
    argv = (sys.executable, "-m", f"{name}_service", "serve")
    program = Program(name=name, argv=argv, env=environment(stack, name))
    return Service(program, f"{stack.addresses[name]}/readyz", stack.log_dir)


def environment(stack: Stack, name: str) -> dict[str, str]:
    """What a service reads (see .env.example), pointed at the local Amazon."""
    given = stack.environment
    ours = {
        "ENVIRONMENT": "development",
        "HOST": LOOPBACK,
        "PORT": str(stack.ports[name]),
        "DATABASE_URL": given[f"{name.upper()}_DATABASE_URL"],
        "DATABASE_POOL_SIZE": "3",
        "KAFKA_BOOTSTRAP_SERVERS": given["KAFKA_BOOTSTRAP_SERVERS"],
        "AUTH_URL": stack.addresses["auth"],
        "SERVICE_KEY": given[f"SERVICE_KEY_{name.upper()}"],
        "KEY_RING": given["KEY_RING"],
        "AMAZON_LWA_URL": stack.addresses["sandbox"],
        "AMAZON_CONSENT_URL": stack.addresses["sandbox"],
        "AMAZON_REDIRECT_URI": stack.addresses["auth"] + CALLBACK_PATH,
        # A dial that moves the local Amazon's time moves ours.
        "CLOCK_URL": f"{stack.addresses['sandbox']}/sandbox/clock",
        # Consents are begun by the demo's merchant, who is no browser.
        "CONSENT_BROWSER_BOUND": "false",
    }
    if any(isinstance(server, Broker) for server in stack.supervisor.servers.values()):
        # It answers an empty fetch at once (docs/adr/0002-local-broker.md).
        ours["CONSUMER_REST_SECONDS"] = "0.05"
    if name == "auth":
        ours |= {f"SERVICE_KEY_{other.upper()}": given[f"SERVICE_KEY_{other.upper()}"] for other in NAMES}
    for region in REGIONS:
        ours[f"AMAZON_ENDPOINT_{region.upper()}"] = f"http://{LOOPBACK}:{stack.ports[f'sandbox-{region}']}"
        ours[f"AMAZON_APP_ID_{region.upper()}"] = f"amzn1.sellerapps.app.entrepot-dev-{region}"
        ours[f"AMAZON_CLIENT_ID_{region.upper()}"] = f"amzn1.application-oa2-client.entrepot-dev-{region}"
        ours[f"AMAZON_CLIENT_SECRET_{region.upper()}"] = f"dev-only-secret-{region}"
    return dict(os.environ) | ours | stack.overrides


SERVICES = (
    Component(name="addresses", build=_addresses),
    Component(name="databases", build=_databases, after=("postgres",)),
    Component(name="topics", build=_topics, after=("broker",)),
    Component(name="sandbox", build=_sandbox, after=("addresses",)),
    Component(name="service keys", build=_service_keys, after=("addresses", "databases")),
    *(
        Component(name=name, build=lambda stack, _, name=name: service(stack, name), after=("service keys", "topics"))  # type: ignore[misc]
        for name in NAMES
    ),
)
