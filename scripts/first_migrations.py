"""Until the first release: writes each service's one first migration anew from its models (`make migrations`).

What autogenerate cannot know (triggers) stands in the old file after the line `# By hand` and is taken over.
"""

import asyncio
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from sqlalchemy.pool import NullPool

from common import migrations
from common.database_url import engine_of
from common.migrations import drift
from common.testing.databases import Databases
from local_stack.postgres import PostgresServer

PACKAGES = {
    "common": "What every service needs",
    "auth_service": "Accounts keys connections and channels",
    "listings_service": "What listings keeps",
    "orders_service": "Orders requests and shipments",
    "compliance_service": "Sources and routing",
}
_BY_HAND = "    # By hand"
_RUFF = Path(sys.executable).with_name("ruff")


async def write(databases: Databases, package: str, message: str) -> None:
    """Replaces the package's revisions by one that makes its tables in an empty database."""
    versions = Path(str(import_module(package).__file__)).parent / "migrations" / "versions"
    by_hand = ""
    for old in sorted(versions.glob("*.py")):
        by_hand += old.read_text().partition(_BY_HAND)[2]
        old.unlink()
    url = await databases.empty()
    await migrations.upgrade(url, package)
    engine = engine_of(url, application_name="first-migrations", poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(drift.write, package, message)
    await engine.dispose()
    [made] = versions.glob("*.py")
    lines = [line for line in made.read_text().rstrip().splitlines() if not line.startswith("    # ###")]
    made.write_text("\n".join(lines) + "\n" + (_BY_HAND + by_hand if by_hand else ""))


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer(Path(folder) / "postgres")
        server.start()
        databases = Databases(server.url())
        try:
            for package, message in PACKAGES.items():
                await write(databases, package, message)
        finally:
            await databases.close()
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
    subprocess.run([_RUFF, "format", "--quiet", "."], check=True)  # noqa: S603 - the wheel's own binary
