"""Wires the doors of the listings service."""

from common.app import Service
from listings_service.events import TOPICS, handler
from listings_service.jobs import operations
from listings_service.routes import listings, rejections
from listings_service.routes import operations as operation_routes
from listings_service.settings import ListingsSettings

SERVICE = Service(
    name="listings",
    package="listings_service",
    settings=ListingsSettings,
    routers=(listings.router, operation_routes.router, rejections.router),
    topics=TOPICS,
    events=handler,
    operations=operations,
)
