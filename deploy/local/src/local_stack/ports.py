"""Loopback ports, and the ways to tell that the server behind one is ready."""

import random
import socket
from urllib.error import URLError
from urllib.request import urlopen

LOOPBACK = "127.0.0.1"
# Below Linux's ephemeral range: an outgoing connection can neither take such a port while its server restarts nor
# connect to itself by retrying it.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A loopback port nobody listens on now."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port found on {LOOPBACK} between {_PORTS.start} and {_PORTS.stop}")


def accepts(port: int) -> bool:
    """Whether a TCP connection to the loopback port is accepted."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Whether GET `url` answers with a 2xx status."""
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback URLs
            return bool(200 <= answer.status < 300)
    except (URLError, OSError):
        return False
