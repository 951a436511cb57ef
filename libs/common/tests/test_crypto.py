"""Envelope encryption: what opens, what must not, and key rotation."""

import base64
import os
from dataclasses import replace
from uuid import uuid4

import pytest

from common.crypto import Context, KeyLost, KeyRing, Unreadable, decrypt, encrypt

CONTEXT = Context(uuid4(), "connection/1", "refresh token")


def ring(*key_ids: str, keys: dict[str, bytes] | None = None) -> KeyRing:
    known = keys if keys is not None else {}
    return KeyRing({key_id: known.setdefault(key_id, os.urandom(32)) for key_id in key_ids})


@pytest.mark.row("A10")
def test_a_blob_opens_only_for_its_own_account_record_and_purpose() -> None:
    keys = ring("a")
    blob = keys.seal(b"Atzr|secret", CONTEXT)
    assert keys.open(blob, CONTEXT) == b"Atzr|secret"
    for other in (
        replace(CONTEXT, account_id=uuid4()),
        replace(CONTEXT, record="connection/2"),
        replace(CONTEXT, purpose="access token"),
    ):
        with pytest.raises(Unreadable):
            keys.open(blob, other)


@pytest.mark.row("A10")
def test_a_changed_blob_does_not_open() -> None:
    keys = ring("a")
    blob = keys.seal(b"secret", CONTEXT)
    for position in range(len(blob)):
        changed = blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]
        with pytest.raises((Unreadable, KeyLost)):
            keys.open(changed, CONTEXT)


@pytest.mark.row("A10")
def test_a_rotated_ring_reads_old_data_and_rewraps_it() -> None:
    known: dict[str, bytes] = {}
    blob = ring("old", keys=known).seal(b"secret", CONTEXT)
    both = ring("new", "old", keys=known)
    assert both.open(blob, CONTEXT) == b"secret"
    assert not both.is_current(blob)
    fresh = both.rewrap(blob, CONTEXT)
    assert both.is_current(fresh)
    assert ring("new", keys=known).open(fresh, CONTEXT) == b"secret"


@pytest.mark.row("A10")
def test_a_lost_key_fails_loudly() -> None:
    blob = ring("gone").seal(b"secret", CONTEXT)
    with pytest.raises(KeyLost, match="gone"):
        ring("other").open(blob, CONTEXT)


@pytest.mark.row("C9")
def test_without_its_data_key_a_record_is_gone() -> None:
    keys = ring("a")
    data_key = os.urandom(32)
    wrapped, body = keys.wrap(data_key, CONTEXT), encrypt(data_key, b"Jane", CONTEXT)
    assert decrypt(keys.unwrap(wrapped, CONTEXT), body, CONTEXT) == b"Jane"
    with pytest.raises(Unreadable):
        decrypt(os.urandom(32), body, CONTEXT)


_TWICE = ",".join(f"a:{base64.b64encode(key * 32).decode()}" for key in (b"k", b"l"))


@pytest.mark.parametrize("text", ["", "a", "a:xx", f":{base64.b64encode(b'k' * 32).decode()}", "a:" + "A" * 20, _TWICE])
def test_a_wrong_ring_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="KEY_RING") as refusal:
        KeyRing.parse(text)
    assert "AAAA" not in str(refusal.value)
