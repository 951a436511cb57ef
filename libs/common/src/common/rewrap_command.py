"""What `rewrap` shows: a progress bar, and the proof that no row is left on an older key."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from common import rewrapping
from common.app import Service
from common.crypto import KeyRing
from common.db import Database
from common.settings import SealingSettings


async def rewrap_all(service: Service[Any], settings: SealingSettings) -> bool:
    """Rewraps every sealed column of the service; whether the active key alone is left. Raises `KeyLost`."""
    key_ring = KeyRing.parse(settings.key_ring.get_secret_value())
    database = Database(settings.database_url.get_secret_value(), service=service.name, pool_size=2)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    try:
        total = await rewrapping.left(database, service.all_sealed, key_ring)
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(f"rewrap by {key_ring.active}", total=total)
            changed = await rewrapping.rewrap(
                database, service.all_sealed, key_ring, lambda count: progress.advance(task, count)
            )
        in_use = await rewrapping.keys_in_use(database, service.all_sealed)
    finally:
        await database.close()
    table = Table("table", "column", "key", "blobs")
    for (name, column, key_id), count in sorted(in_use.items()):
        table.add_row(name, column, key_id, f"{count:,}")
    console.print(table)
    old = sum(count for (_, _, key_id), count in in_use.items() if key_id != key_ring.active)
    console.print(f"{changed:,} wrapped anew in {time.monotonic() - began:.1f} s")
    if old:
        console.print(f"{old:,} are left on other keys: processes with the old KEY_RING still write; run again")
        return False
    console.print(f"no row is left on another key than {key_ring.active}: the others may leave KEY_RING")
    return True
