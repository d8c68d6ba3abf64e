"""Hanging up on a client, and on nobody else."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from observabilipy.http import client_of, hang_up


@pytest.fixture
def connected() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Two connections to one listener: the server's end and the client's end of each."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        pairs = []
        for _ in range(2):
            client = opened.enter_context(socket.create_connection(listener.getsockname()))
            server, _address = listener.accept()
            pairs.append((opened.enter_context(server), client))
        yield pairs


def test_the_connection_to_that_client_is_shut_down_and_no_other(
    connected: list[tuple[socket.socket, socket.socket]],
) -> None:
    (_, stalled), (server, other) = connected

    hang_up([stalled.getsockname()])
    server.sendall(b"still here")

    assert (stalled.recv(1), other.recv(10)) == (b"", b"still here")


def test_a_client_without_a_connection_is_nobody(connected: list[tuple[socket.socket, socket.socket]]) -> None:
    (server, client), _ = connected

    hang_up([("127.0.0.1", 1), ("/run/app.sock", 0)])
    server.sendall(b"still here")

    assert client.recv(10) == b"still here"


@pytest.mark.parametrize(
    ("host", "port", "client"),
    [
        ("127.0.0.1", "80", ("127.0.0.1", 80)),
        ("::1", "65535", ("::1", 65535)),
        ("", "80", None),
        (None, "80", None),
        ("127.0.0.1", None, None),
        ("127.0.0.1", "x", None),
        ("127.0.0.1", "\u0661", None),
        ("127.0.0.1", "9" * 20, None),
    ],
)
def test_a_client_is_known_by_host_and_port(host: object, port: object, client: tuple[str, int] | None) -> None:
    assert client_of(host, port) == client
