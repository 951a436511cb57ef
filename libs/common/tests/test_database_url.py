"""One reader for a database's URL: however it is written, engine, migrations, relay and listeners take it alike."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from common import migrations
from common.bulk import run
from common.database_url import DatabaseUrlUnreadable, connect, read_database_url
from common.db import Database
from common.outbox import LOCK
from common.settings import ServiceSettings
from common.testing.databases import Databases


@pytest_asyncio.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    made = await databases.empty()
    yield made
    await databases.drop(made)


def written(url: str, *, scheme: str = "postgresql", user: str = "", query: str = "") -> str:
    parts = urlsplit(url)
    return f"{scheme}://{user or parts.username}@{parts.hostname}:{parts.port}{parts.path}{query and '?' + query}"


SPELLINGS = [
    {"scheme": "postgres"},
    {"scheme": "postgresql"},
    {"scheme": "postgresql+asyncpg"},
    {"query": "sslmode=disable"},
    {"query": "sslmode=prefer"},
    {"query": "ssl=prefer"},
    {"query": "ssl=false"},
    {"user": "postgres:p%25%40%2Fss%20word"},
    {"user": "postgres:50%off"},
    {"query": "application_name=mine&statement_timeout=60000"},
]


@pytest.mark.edge(42)
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda one: " ".join(one.values()))
async def test_every_spelling_migrates_reads_and_listens(url: str, spelling: dict[str, str]) -> None:
    given = written(url, **spelling)
    await migrations.upgrade(given, "common")
    database = Database(given, service="spelling")
    async with database.transaction() as session:
        assert [tuple(row) for row in await run(session, "select count(*) from outbox")] == [(0,)]
    heard = asyncio.Event()
    listener = await connect(database.url, application_name="listener", idle_in_transaction_session_timeout="30s")
    await listener.add_listener("outbox", lambda *_: heard.set())
    await listener.execute("notify outbox")
    async with asyncio.timeout(30):
        await heard.wait()
    assert await listener.fetchval("select pg_try_advisory_lock($1)", LOCK)
    await listener.close()
    await database.close()


@pytest.mark.edge(42)
@pytest.mark.parametrize("query", ["sslmode=require", "ssl=require", "ssl=true", "sslmode=verify-full"])
async def test_tls_that_is_demanded_is_not_done_without(url: str, query: str) -> None:
    """The tests' own server speaks no TLS: whoever demands it is refused, never served in the clear."""
    given = written(url, query=query)
    with pytest.raises(ConnectionError):
        await migrations.upgrade(given, "common")
    database = Database(given, service="tls")
    with pytest.raises(ConnectionError):
        await database.ping()
    with pytest.raises(ConnectionError):
        await connect(database.url, application_name="relay")
    await database.close()


async def test_a_certificate_that_is_not_there_is_said_to_be_missing(url: str) -> None:
    given = read_database_url(written(url, query="sslmode=verify-full&sslrootcert=/nowhere/ca.pem"))
    with pytest.raises(ConnectionError, match="sslrootcert"):
        await connect(given, application_name="tls")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("mysql://u:secret@h/d", "scheme"),
        ("postgresql://u:secret@h:5432", "no database"),
        ("postgresql://u:secret@h:port/d", "not a URL"),
        ("postgresql://u:secret@h/d?sslmode=maybe", "sslmode"),
        ("u:secret@h/d", "scheme"),
    ],
)
def test_an_unreadable_url_is_refused_with_the_reason_and_without_its_password(given: str, why: str) -> None:
    with pytest.raises(DatabaseUrlUnreadable, match=why) as refused:
        read_database_url(given)
    assert "secret" not in str(refused.value)


def test_settings_never_show_the_url() -> None:
    given = {
        "kafka_bootstrap_servers": "k:9092",
        "auth_url": "http://auth",
        "service_key": SecretStr("k"),
        "key_ring": SecretStr("a:b"),
    }
    settings = ServiceSettings(database_url="postgres://u:hidden@h/d", **given)  # type: ignore[arg-type]
    assert "hidden" not in repr(settings)
    assert settings.database_url.get_secret_value() == "postgresql://u:hidden@h/d"
    with pytest.raises(ValidationError) as refused:
        ServiceSettings(database_url="mysql://u:hidden@h/d", **given)  # type: ignore[arg-type]
    assert "hidden" not in str([error["msg"] for error in refused.value.errors(include_input=False)])
