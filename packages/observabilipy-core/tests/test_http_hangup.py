"""Hanging up on a client, and on nobody else."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from observabilipy.http import Client, Request, client_of, hang_up


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


def address_of(client: socket.socket) -> Client:
    host, port = client.getsockname()
    return Client(host, port, client.getpeername()[1])


def test_the_connection_to_that_client_is_shut_down_and_no_other(
    connected: list[tuple[socket.socket, socket.socket]],
) -> None:
    (_, stalled), (server, other) = connected

    hang_up([address_of(stalled)])
    ended = stalled.recv(1)
    server.sendall(b"still here")

    assert (ended, other.recv(10)) == (b"", b"still here")


def test_a_connection_of_our_own_to_such_an_address_is_left_alone(
    connected: list[tuple[socket.socket, socket.socket]],
) -> None:
    (_, stalled), (server, other) = connected
    # As somebody else would be named by a header that a proxy passes on: the other end of what we opened ourselves.
    host, port = other.getpeername()
    database = Client(host, port, port)

    hang_up([database, Client("127.0.0.1", 1, 2), Client("/run/app.sock", 0, 0)])
    hang_up([address_of(stalled)])
    ended = stalled.recv(1)
    server.sendall(b"still here")

    assert (ended, other.recv(10)) == (b"", b"still here")


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded"])
def test_a_client_that_a_proxy_may_have_named_is_nobody(name: bytes) -> None:
    client = Client("10.0.0.1", 5432, 80)

    assert (
        Request("GET", "/logs", headers=((b"host", b"x"),), client=client).peer,
        Request("GET", "/logs", headers=((name, b"10.0.0.1:5432"),), client=client).peer,
    ) == (client, None)


@pytest.mark.parametrize(
    ("named", "client"),
    [
        (("127.0.0.1", "80", "8000"), Client("127.0.0.1", 80, 8000)),
        (("::1", 65535, 8000), Client("::1", 65535, 8000)),
        (("", "80", "8000"), None),
        ((None, "80", "8000"), None),
        (("127.0.0.1", None, "8000"), None),
        (("127.0.0.1", "80", None), None),
        (("127.0.0.1", "x", "8000"), None),
        (("127.0.0.1", "\u0661", "8000"), None),
        (("127.0.0.1", "9" * 20, "8000"), None),
    ],
)
def test_a_client_is_known_by_host_and_ports(named: tuple[object, ...], client: Client | None) -> None:
    assert client_of(*named) == client
