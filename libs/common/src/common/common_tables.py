"""All tables of `common` in one metadata, for migrations: importing this module declares every one."""

from common import dead_letters, idempotency, inbox, jobs, outbox
from common.amazon.limits import metadata as buckets
from common.db import CommonTable

METADATA = (CommonTable.metadata, buckets)
TABLES = (
    outbox.OutboxMessage,
    inbox.InboxEntry,
    dead_letters.ParkedKey,
    dead_letters.DeadLetter,
    jobs.OperationRun,
    jobs.Schedule,
    idempotency.IdempotencyRecord,
)
