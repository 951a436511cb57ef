"""The HTTP door of auth: each route parses, calls one use case and answers."""

from auth_service.routes import channels, connections, consent, identity, marketplaces, notifications

ROUTERS = (
    identity.router,
    marketplaces.router,
    connections.router,
    consent.router,
    channels.router,
    notifications.router,
)
