"""Programs to supervise and a way to ask whether a process is gone."""

import time
from collections.abc import Callable

import psutil
import pytest


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Whether the process ends within a generous time: the kernel's signal and the reaping need a moment."""

    def gone(pid: int) -> bool:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    return True
            except psutil.NoSuchProcess:
                return True
            time.sleep(0.02)
        return False

    return gone
