"""A running compliance service, and merchants who use it."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from common.testing.identity import Issuer
from common.testing.plugin import Running, RunService
from compliance_service.app import SERVICE
from compliance_service.testing import Merchant


@pytest_asyncio.fixture
async def running(run_service: RunService) -> Running:
    """The service with its HTTP door; events and jobs are brought by hand."""
    return await run_service(SERVICE, restock_reroute_delay_seconds=0)


@pytest.fixture
def new_merchant(running: Running, issuer: Issuer) -> Callable[[], Merchant]:
    """Makes accounts of the same running service."""
    return lambda: Merchant(running, issuer)


@pytest.fixture
def merchant(new_merchant: Callable[[], Merchant]) -> Merchant:
    return new_merchant()


@pytest_asyncio.fixture
async def channel(merchant: Merchant) -> UUID:
    """A channel of the merchant's, as auth announced it."""
    channel_id = uuid4()
    await merchant.deliver(merchant.connection(channel_id))
    return channel_id
