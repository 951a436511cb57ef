"""All tables of `common` in one metadata, for migrations: importing this module declares every one."""

from common import dead_letters, idempotency, inbox, jobs, outbox
from common.amazon import limits
from common.db import CommonTable

METADATA = (CommonTable.metadata, limits.metadata)
TABLES = (
    outbox.OutboxMessage,
    inbox.InboxEntry,
    dead_letters.ParkedKey,
    dead_letters.DeadLetter,
    jobs.OperationRun,
    jobs.Schedule,
    idempotency.IdempotencyRecord,
)
