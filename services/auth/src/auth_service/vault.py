"""Sealing and opening the secrets of this service: each blob is bound to its account, record and purpose."""

from typing import Literal
from uuid import UUID

from common.crypto import Context, KeyLost, KeyRing
from common.errors import Problem
from common.rewrapping import SealedColumn

NOBODY = UUID(int=0)  # the account of what belongs to the platform

Purpose = Literal["refresh_token", "access_token", "signing_key", "amazon_state"]

# Every sealed column of this service: what a rotation of the key ring wraps anew.
SEALED = (
    SealedColumn("connection", "refresh_token", "refresh_token"),
    SealedColumn("access_token", "token", "access_token", record="connection_id", key="connection_id"),
    SealedColumn("signing_key", "private_key", "signing_key", account=None, key_type="text"),
    SealedColumn("authorization", "amazon_state", "amazon_state", account=None),
)


class EncryptionKeyLost(Problem):
    slug, title = "encryption-key-lost", "A stored secret cannot be opened: its encryption key is missing"
    fix = "Put the key back into KEY_RING of the auth service"


def seal(key_ring: KeyRing, secret: bytes, account_id: UUID, record: UUID | str, purpose: Purpose) -> bytes:
    """The secret as ciphertext that opens only for the same account, record and purpose."""
    return key_ring.seal(secret, Context(account_id, str(record), purpose))


def reveal(key_ring: KeyRing, blob: bytes, account_id: UUID, record: UUID | str, purpose: Purpose) -> bytes:
    """The secret. Raises `EncryptionKeyLost`, or `common.crypto.Unreadable` for a blob of another row."""
    try:
        return key_ring.open(blob, Context(account_id, str(record), purpose))
    except KeyLost as lost:
        raise EncryptionKeyLost(str(lost)) from None
