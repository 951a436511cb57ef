"""Starts the servers of a test session once, in the controller; workers find them in the environment."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No time limits: a busy machine is no fault of the code. The same examples each time: a red run can be repeated.
settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

pytest_plugins = ["common.testing.plugin"]


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    from local_stack.testing import start_test_servers

    servers = start_test_servers(kafka="apache" if os.environ.get("ENTREPOT_KAFKA") == "apache" else "embedded")
    os.environ.update(servers.environment)
    config.stash[_servers] = servers


def pytest_unconfigure(config: pytest.Config) -> None:
    if servers := config.stash.get(_servers, None):
        servers.stop()


_servers: pytest.StashKey[Any] = pytest.StashKey()
