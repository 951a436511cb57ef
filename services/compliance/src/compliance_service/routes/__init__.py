"""The HTTP doors, by what they are about."""

from compliance_service.routes import attestations, channels, decisions, inventory, packing_slips, sources

ROUTERS = (
    sources.router,
    inventory.router,
    attestations.router,
    channels.router,
    decisions.router,
    packing_slips.router,
)
