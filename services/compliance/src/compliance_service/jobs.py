"""The time door: operation runs and what happens by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog

from common.app import Runtime
from common.db import is_transient
from common.jobs import Runner
from compliance_service import attesting, reroute_queue, rerouting
from compliance_service.settings import ComplianceSettings

log = structlog.get_logger()


def operations(runtime: Runtime[ComplianceSettings]) -> Mapping[str, Runner]:
    """The operations whose runs this service executes."""
    return {reroute_queue.OPERATION: partial(rerouting.reroute, runtime.db)}


def background(runtime: Runtime[ComplianceSettings]) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """The loops of a worker beside relay, consumer and runs."""

    async def expire_attestations() -> None:
        while True:
            try:
                await attesting.expire_due(runtime.db)
                await attesting.warn_due(runtime.db, runtime.settings.attestation_warning_days)
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("expiry_waits_for_database", reason=type(error).__name__)
            await asyncio.sleep(runtime.settings.attestation_expiry_check_seconds)

    return {"expire-attestations": expire_attestations}
