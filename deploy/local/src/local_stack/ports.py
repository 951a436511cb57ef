"""Loopback ports, and the ways to tell that the server behind one is ready."""

import socket
from urllib.error import URLError
from urllib.request import urlopen

LOOPBACK = "127.0.0.1"
_held: list[socket.socket] = []


def free_port() -> int:
    """A loopback port for one server to be, which nobody else gets while this process lives.

    The port stays bound here by a socket that never listens. Whoever binds it with SO_REUSEADDR, as servers do, may
    listen on it, die and listen again; between those times no other call, process or outgoing connection is given it.
    """
    holder = socket.socket()
    holder.bind((LOOPBACK, 0))
    # Only now: bound with it, the kernel might choose a port that another holder has.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(holder)
    return int(holder.getsockname()[1])


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
