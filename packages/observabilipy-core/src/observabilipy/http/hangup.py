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
from typing import NamedTuple

from observabilipy import sigterm

__all__ = ["Client", "client_of", "hang_up", "until_taken"]

_GRACE_SECONDS = 1.0
_DESCRIPTORS = Path("/dev/fd")  # Linux and macOS


class Client(NamedTuple):
    """The other end of a connection, and the port of this one: what it connected to, so nothing that we opened."""

    host: str
    port: int
    server_port: int


_under_way: dict[object, Client] = {}


def client_of(host: object, port: object, server_port: object) -> Client | None:
    """A client as servers name it, ports as numbers or text; None when they do not."""
    ports = [int(text) for text in (str(port), str(server_port)) if text.isascii() and text.isdigit() and len(text) < 6]
    return Client(host, *ports) if isinstance(host, str) and host and len(ports) == 2 else None


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
        _under_way.pop(answer, None)


def hang_up(clients: Collection[Client]) -> None:
    """Shut down the connections to these clients, soon; nothing happens where one of them has none."""
    # In a thread: a look at ten thousand sockets takes a tenth of a second.
    Thread(target=_shut_down, args=(frozenset(clients),), name="observabilipy-hangup", daemon=True).start()


def _shut_down(clients: Collection[Client]) -> None:
    with suppress(OSError):
        for descriptor in list(_DESCRIPTORS.iterdir()):
            with suppress(OSError):
                _shut_down_if_of(clients, int(descriptor.name))


def _shut_down_if_of(clients: Collection[Client], descriptor: int) -> None:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in {socket.AF_INET, socket.AF_INET6}:
            return
        host, port, *_ = connection.getpeername()
        _, server_port, *_ = connection.getsockname()
        if (host, port, server_port) in clients:
            connection.shutdown(socket.SHUT_RDWR)


def _soon() -> None:
    if _under_way:
        Thread(target=_hang_up_on_the_rest, name="observabilipy-hangup", daemon=True).start()


def _hang_up_on_the_rest() -> None:
    while _under_way:
        Event().wait(_GRACE_SECONDS)
        _shut_down(frozenset(_under_way.values()))


sigterm.at_stop(_soon)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_under_way.clear)  # those are the parent's
