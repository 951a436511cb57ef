"""The door of time: which operations this service runs."""

from collections.abc import Mapping

from common.app import Runtime
from common.jobs import Runner
from orders_service.confirming import SyncOrders
from orders_service.getting import GetOrders
from orders_service.settings import OrdersSettings


def runners(runtime: Runtime[OrdersSettings]) -> Mapping[str, Runner]:
    return {
        "get_orders": GetOrders(runtime.db, runtime.amazon, runtime.key_ring),
        "sync_orders": SyncOrders(runtime.db, runtime.amazon, runtime.settings.confirm_read_back_delays),
    }
