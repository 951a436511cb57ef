"""Opaque page tokens: nobody can read or make one, and a token of another world or query is refused."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from amazon_sandbox.wire import decode, encode, invalid_input

_KEYS = [secrets.token_bytes(16)]
_SEAL_BYTES = 12


def key() -> bytes:
    return _KEYS[0]


def use(another: bytes) -> None:
    """Tokens made with this key hold from now on: it comes with the world they belong to."""
    _KEYS[0] = bytes(another)


def seal(content: object) -> str:
    payload = encode(content)
    return urlsafe_b64encode(_seal(payload) + payload).decode().rstrip("=")


def unseal(token: str) -> Any:
    """What was sealed; ValueError for anything else."""
    sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    payload = sealed[_SEAL_BYTES:]
    if not secrets.compare_digest(sealed[:_SEAL_BYTES], _seal(payload)):
        raise ValueError("not a page token of this server")
    return decode(payload)


def start_of_page(parameter: str, token: str | None, filters: str) -> int:
    """Where the page begins: 0 without a token. Refuses one that is not ours or was made for other filters."""
    if token is None:
        return 0
    try:
        sealed_filters, start = unseal(token)
    except (ValueError, TypeError) as error:
        raise invalid_input(f"The {parameter} is not valid.") from error
    if sealed_filters != filters:
        raise invalid_input(f"The {parameter} belongs to a request with other parameters.")
    return int(start)


def fingerprint(*filters: object) -> str:
    """The same for the same filters: a page token holds only together with the filters it was made for."""
    return hashlib.blake2b(encode(filters), digest_size=12).hexdigest()


def _seal(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key(), digest_size=_SEAL_BYTES).digest()


def seal_to_encode(content: object) -> str:
    """As `seal`, with characters in it that a query must percent-encode, once (PAINS 10)."""
    sealed = seal(content)
    return f"{sealed[:8]}+{sealed[8:]}="


def unseal_encoded(token: str) -> Any:
    """What was sealed for encoding; ValueError for a token that was encoded twice or not at all, and anything else."""
    if token[8:9] != "+" or not token.endswith("="):
        raise ValueError("not a page token, or not encoded once")
    return unseal(token[:8] + token[9:-1])
