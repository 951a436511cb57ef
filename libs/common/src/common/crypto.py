"""Envelope encryption: a random AES-256-GCM data key per record, wrapped by a key of the ring that the blob names.

Account, record and purpose are bound in as associated data: a blob moved to another row does not open."""

import base64
import os
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"\x01"
_NONCE = 12
_WRAPPED = _NONCE + 32 + 16


class KeyLost(Exception):
    """Data is encrypted under a key id that the ring does not hold: put the key back into KEY_RING."""


class Unreadable(Exception):
    """The blob was changed, or belongs to another account, record or purpose."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a blob belongs to."""

    account_id: UUID
    record: str
    purpose: str

    def bytes(self) -> bytes:
        return f"{self.account_id}|{self.record}|{self.purpose}".encode()


class KeyRing:
    """The keys by id; the first one encrypts, all of them decrypt."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise ValueError("KEY_RING is empty: give `id:base64 of 32 bytes`")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.active = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `id:base64,id:base64`. Raises ValueError that says which entry is wrong, never its value."""
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
            key_id, _, encoded = entry.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError:
                key = b""
            if not key_id or len(key) != 32 or len(key_id) > 64:
                raise ValueError(f"KEY_RING entry {position} is not `id:base64 of 32 bytes`")
            if key_id in keys:
                raise ValueError(f"KEY_RING entry {position} has the id of another entry")
            keys[key_id] = key
        return cls(keys)

    def head_of(self, key_id: str) -> bytes:
        """What every blob begins with that this key has wrapped: version, length and id."""
        name = key_id.encode()
        return _VERSION + bytes([len(name)]) + name

    def wrap(self, data_key: bytes, context: Context) -> bytes:
        """version, key id, and the data key sealed under the ring's active key."""
        nonce = os.urandom(_NONCE)
        sealed = self._keys[self.active].encrypt(nonce, data_key, context.bytes())
        return self.head_of(self.active) + nonce + sealed

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """The data key. Raises `KeyLost` or `Unreadable`."""
        key_id, rest = _split(wrapped)
        if key_id not in self._keys:
            raise KeyLost(f"data is encrypted under key {key_id!r}, which KEY_RING does not hold")
        return _open(self._keys[key_id], rest, context)

    def seal(self, plaintext: bytes, context: Context) -> bytes:
        """One self-contained blob with a data key of its own."""
        data_key = AESGCM.generate_key(256)
        return self.wrap(data_key, context) + encrypt(data_key, plaintext, context)

    def open(self, blob: bytes, context: Context) -> bytes:
        """The plaintext of `seal`. Raises `KeyLost` or `Unreadable`."""
        head = _head(blob)
        return decrypt(self.unwrap(blob[:head], context), blob[head:], context)

    def is_current(self, blob: bytes) -> bool:
        """Whether the blob is wrapped by the active key."""
        return _split(blob)[0] == self.active

    def rewrap(self, blob: bytes, context: Context) -> bytes:
        """The same content under the active key; the data itself is not touched."""
        head = _head(blob)
        return self.wrap(self.unwrap(blob[:head], context), context) + blob[head:]


def encrypt(data_key: bytes, plaintext: bytes, context: Context) -> bytes:
    """Seals with a data key that the caller keeps (wrapped), e.g. one per order."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(data_key).encrypt(nonce, plaintext, context.bytes())


def decrypt(data_key: bytes, blob: bytes, context: Context) -> bytes:
    """Raises `Unreadable`."""
    return _open(AESGCM(data_key), blob, context)


def _open(key: AESGCM, blob: bytes, context: Context) -> bytes:
    try:
        return key.decrypt(blob[:_NONCE], blob[_NONCE:], context.bytes())
    except (InvalidTag, ValueError):
        raise Unreadable(f"a {context.purpose} does not open: changed, or of another record") from None


def _head(blob: bytes) -> int:
    return 2 + blob[1] + _WRAPPED


def _split(blob: bytes) -> tuple[str, bytes]:
    if len(blob) < 2 or blob[:1] != _VERSION:
        raise Unreadable("not an encrypted blob of ours")
    end = 2 + blob[1]
    return blob[2:end].decode(), blob[end : end + _WRAPPED]
