"""Wires the service's three doors."""

from common.app import Service
from compliance_service import events, jobs
from compliance_service.routes import ROUTERS
from compliance_service.settings import ComplianceSettings

SERVICE = Service(
    name="compliance",
    package="compliance_service",
    settings=ComplianceSettings,
    routers=ROUTERS,
    topics=events.TOPICS,
    events=lambda runtime: events.handler(restock_reroute_delay_seconds=runtime.settings.restock_reroute_delay_seconds),
    operations=jobs.operations,
    background=jobs.background,
)
