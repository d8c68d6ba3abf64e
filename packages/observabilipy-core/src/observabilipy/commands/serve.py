"""``observabilipy serve``: /metrics and /logs over a storage whose service may not even run. It can only be read."""

import argparse
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from observabilipy.command import Command, WrongUsage
from observabilipy.commands.arguments import add_source
from observabilipy.commands.source import opened_storage
from observabilipy.commands.terminal import note
from observabilipy.errors import ConfigurationError
from observabilipy.http import Endpoints, Request

__all__ = ["Reader", "command"]

_IDLE_SECONDS = 60.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_TEXT = """\
serving {source} at http://{host}:{port}, to be read only; Ctrl-C ends it

  curl -H "Authorization: Bearer {token}" http://{host}:{port}/metrics
  curl -H "Authorization: Bearer {token}" "http://{host}:{port}/logs?limit=10"
"""


class Reader(ThreadingHTTPServer):
    """An HTTP server over endpoints: a thread for each connection, GET and HEAD, nothing that writes."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, *_: Any) -> None:  # Any: its parameters are left alone
        """A client that went away is no event; anything else is told."""
        error = sys.exception()
        if not isinstance(error, OSError):
            note(f"an answer broke off: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    server: Reader
    protocol_version = "HTTP/1.1"
    server_version = "observabilipy"
    sys_version = ""
    timeout = _IDLE_SECONDS

    def _answer(self) -> None:
        if self.command not in {"GET", "HEAD"}:
            self.close_connection = True  # its body is not read, and must not be taken for a request
        path, _, query = self.path.partition("?")
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in self.headers.items()
        ]
        request = Request(self.command, path, query.encode("latin-1", "replace"), headers)
        response = self.server.endpoints.handle_sync(request)
        try:
            self._send(response.status, response.headers, response.body)
        finally:
            response.body.close()

    def __getattr__(self, name: str) -> Any:  # Any: as the data model has it
        """Whatever the method is, the endpoints answer it."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _send(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: Iterator[bytes]) -> None:
        names = {name for name, _ in headers}
        chunked = b"content-length" not in names and self.command != "HEAD" and self.request_version == "HTTP/1.1"
        self.send_response(status)
        for name, value in headers:
            self.send_header(name.decode("latin-1").title(), value.decode("latin-1"))
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection or (b"content-length" not in names and not chunked and self.command != "HEAD"):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        try:
            for chunk in body:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if chunked else chunk)
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        except BaseException:
            self.close_connection = True  # not whole: the client must see it break off
            raise

    def log_message(self, *_: Any) -> None:  # Any: its parameters are left alone
        """Requests are not logged: a path may hold what somebody searched for."""


def _configure(parser: argparse.ArgumentParser) -> None:
    add_source(parser, "a file, or a storage URL (sqlite:///observability.db)", service=False)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=0, help="the port (default: one that is free)")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"a port is 0 to 65535, got {text!r}")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.source.startswith(("memory:", "ring:")):
        raise WrongUsage(f"{arguments.source!r} holds nothing here: name a file, such as observability.db")
    known = "OBSERVABILIPY_TOKEN" in os.environ or "OBSERVABILIPY_TOKEN_FILE" in os.environ
    token = "$OBSERVABILIPY_TOKEN" if known else secrets.token_urlsafe(16)
    with opened_storage(arguments.source, "serve", instead="use that service's own /metrics and /logs") as storage:
        endpoints = Endpoints(storage, auth=None if known else token, on_error=lambda error: note(str(error)))
        try:
            server = Reader(arguments.host, arguments.port, endpoints)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}:"
                " name another --host or --port"
            ) from None
        # Who reads that it serves may end it at once: the signal must find somebody who takes it.
        with server, suppress(KeyboardInterrupt), _ended_by_signals():
            host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
            print(_TEXT.format(source=arguments.source, host=host, port=server.server_port, token=token), flush=True)
            if arguments.host not in _LOOPBACK:
                note("the token and the log go over the network in the clear: put TLS in front of it")
            server.serve_forever(poll_interval=0.1)
    return 0


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM end it in order, with the file closed."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


command = Command("serve /metrics and /logs of a storage, read only, with a token", _configure, _run)
