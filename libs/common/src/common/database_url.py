"""The one reader of a database's URL: engine, migrations, relay and listeners connect by what it makes of it.

asyncpg reads what libpq reads: several hosts, `sslmode`, certificates, `target_session_attrs`, a socket's folder, a
percent-encoded password. What it lacks is put right here: the driver's name in the scheme, and `ssl` for `sslmode`.
"""

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# `ssl=` as other drivers spell it.
_SSL = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable", "off": "disable"}
_PATIENCE = 5.0
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class DatabaseUrlUnreadable(ValueError):
    """Why the URL cannot be used; its text never quotes it, since it holds a password."""


def read_database_url(given: str) -> str:
    """The URL as asyncpg takes it. Raises `DatabaseUrlUnreadable`."""
    try:
        parts = urlsplit(given.strip())
        _ = parts.port if "," not in parts.netloc else None
    except ValueError:
        raise DatabaseUrlUnreadable(f"it is not a URL; {_HOW}") from None
    if parts.scheme not in _SCHEMES:
        raise DatabaseUrlUnreadable(f"its scheme must be one of {', '.join(_SCHEMES)}; {_HOW}")
    if not parts.path.strip("/"):
        raise DatabaseUrlUnreadable(f"it names no database; {_HOW}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "ssl" in query:
        said = query.pop("ssl").lower()
        query.setdefault("sslmode", _SSL.get(said, said))
    if query.get("sslmode", "prefer") not in _MODES:
        raise DatabaseUrlUnreadable(f"its sslmode must be one of {', '.join(_MODES)}")
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query), ""))


_HOW = "write postgresql://user:password@host:5432/database, special characters of the password percent-encoded"


async def connect(url: str, *, application_name: str, **settings: str) -> Any:
    """A connection of asyncpg's own; `settings` are PostgreSQL's for this session. Raises ConnectionError for TLS."""
    try:
        return await asyncpg.connect(
            url, timeout=_PATIENCE, server_settings={"application_name": application_name, **settings}
        )
    except (ssl.SSLError, FileNotFoundError, asyncpg.ClientConfigurationError) as error:
        raise ConnectionError(
            f"no TLS to the database ({type(error).__name__}): check sslmode, {', '.join(_FILES)} of DATABASE_URL"
        ) from error


def engine_of(
    url: str, *, application_name: str, settings: dict[str, str] | None = None, **options: Any
) -> AsyncEngine:
    """SQLAlchemy's engine over such connections; `options` are the engine's."""

    async def creator() -> Any:
        return await connect(url, application_name=application_name, **(settings or {}))

    return create_async_engine("postgresql+asyncpg://", async_creator=creator, **options)
