"""One migrated template database per package and test session; a copy of it per test (about 20 ms)."""

import os
from uuid import uuid4

import asyncpg

from common import migrations


class Databases:
    """Makes and drops databases on the server of DATABASE_URL (a superuser's)."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._templates: dict[str, str] = {}
        self._made: list[str] = []

    def url(self, name: str) -> str:
        return f"{self.admin_url.rsplit('/', 1)[0]}/{name}"

    async def new(self, package: str) -> str:
        """URL of a fresh database at the newest revisions of the package."""
        if package not in self._templates:
            template = await self._create(f"template_{package}_{os.getpid()}_{uuid4().hex[:6]}")
            await migrations.upgrade(self.url(template), package)
            self._templates[package] = template
        return self.url(await self._create(f"test_{uuid4().hex[:12]}", template=self._templates[package]))

    async def empty(self) -> str:
        """URL of a database without any table."""
        return self.url(await self._create(f"test_{uuid4().hex[:12]}"))

    async def _create(self, name: str, template: str = "template1") -> str:
        await self._admin(f'create database "{name}" template "{template}" strategy file_copy')
        self._made.append(name)
        return name

    async def drop(self, url: str) -> None:
        name = url.rsplit("/", 1)[1]
        await self._admin(f'drop database if exists "{name}" with (force)')
        self._made.remove(name)

    async def close(self) -> None:
        for name in list(self._made):
            await self.drop(self.url(name))

    async def _admin(self, statement: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
