"""The migrations of every service make exactly the tables that its models say."""

from typing import Any

import pytest

from auth_service.app import SERVICE as AUTH
from common.app import Service
from common.db import Database
from common.migrations import drift
from common.testing.databases import Databases
from compliance_service.app import SERVICE as COMPLIANCE
from listings_service.app import SERVICE as LISTINGS
from orders_service.app import SERVICE as ORDERS


@pytest.mark.parametrize("service", [AUTH, LISTINGS, ORDERS, COMPLIANCE], ids=lambda service: service.name)
async def test_migrations_and_models_say_the_same(databases: Databases, service: Service[Any]) -> None:
    url = await databases.new(service.package)
    database = Database(url, service=service.name)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(drift.difference, service.package) == []
    await database.close()
    await databases.drop(url)
