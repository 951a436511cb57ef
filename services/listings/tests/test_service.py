"""The service as a whole: its migrations say what its models say, and every route declares a scope."""

from fastapi.routing import APIRoute

from common.db import Database
from common.migrations import drift
from common.testing.databases import Databases
from listings_service.app import SERVICE


async def test_the_migrations_say_what_the_models_say(databases: Databases) -> None:
    url = await databases.new(SERVICE.package)
    database = Database(url, service=SERVICE.name)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(drift.difference, SERVICE.package) == []
    await database.close()
    await databases.drop(url)


def test_every_route_declares_a_scope() -> None:
    routes = [route for router in SERVICE.routers for route in router.routes if isinstance(route, APIRoute)]
    unguarded = [
        route.path
        for route in routes
        if not any(hasattr(dependency.call, "scope") for dependency in route.dependant.dependencies)
    ]
    assert routes
    assert unguarded == []
