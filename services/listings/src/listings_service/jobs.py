"""The door of time: which operation runs which use case."""

from collections.abc import Mapping
from functools import partial

from common.app import Runtime
from common.jobs import Runner
from listings_service.linking import link
from listings_service.settings import ListingsSettings
from listings_service.syncing import sync


def operations(runtime: Runtime[ListingsSettings]) -> Mapping[str, Runner]:
    """The runners by operation name."""
    return {
        "link": partial(link, runtime.db, runtime.amazon),
        "sync": partial(sync, runtime.db, runtime.amazon, runtime.settings),
    }
