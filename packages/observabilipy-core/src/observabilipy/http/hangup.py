"""Hanging up: what ends an answer whose client does not read, when the process is told to end.

Servers wait until an answer is sent, some without a limit, and none tells us. So, a moment after SIGTERM, the
connections of those who still have not taken theirs are shut down, found by the client's address among all sockets.
"""

import os
import socket
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TypeAlias

from observabilipy import sigterm

__all__ = ["Client", "client_of", "hang_up", "until_taken"]

Client: TypeAlias = tuple[str, int]
"""Host and port of the other end of a connection."""

_GRACE_SECONDS = 1.0
_DESCRIPTORS = Path("/dev/fd")  # Linux and macOS

_under_way: dict[object, Client] = {}


def client_of(host: object, port: object) -> Client | None:
    """A client as CGI's ``REMOTE_ADDR`` and ``REMOTE_PORT`` name it; None when they do not."""
    if isinstance(host, str) and host and isinstance(port, str) and port.isascii() and port.isdigit() and len(port) < 6:
        return host, int(port)
    return None


@contextmanager
def until_taken(client: Client | None) -> Iterator[None]:
    """While this block lasts an answer is under way: if the process ends meanwhile, its client is hung up on."""
    if client is None:
        yield
        return
    answer = object()
    _under_way[answer] = client
    try:
        yield
    finally:
        del _under_way[answer]


def hang_up(clients: Collection[Client]) -> None:
    """Shut down the connections to these clients; nothing happens where one of them has none."""
    with suppress(OSError):
        for descriptor in list(_DESCRIPTORS.iterdir()):
            with suppress(OSError):
                _shut_down_if_of(clients, int(descriptor.name))


def _shut_down_if_of(clients: Collection[Client], descriptor: int) -> None:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.getpeername()[:2] in clients:
            connection.shutdown(socket.SHUT_RDWR)


def _soon() -> None:
    if _under_way:
        Thread(target=_hang_up_on_the_rest, name="observabilipy-hangup", daemon=True).start()


def _hang_up_on_the_rest() -> None:
    while _under_way:
        Event().wait(_GRACE_SECONDS)
        hang_up(set(_under_way.values()))


sigterm.at_stop(_soon)
