"""Traffic: made-up visitors of the demo's shop, some of whom ask for what is not there."""

import random
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Self

from observabilipy_fastapi.shop import PRODUCTS

__all__ = ["Traffic"]

_VISITORS = 4
_PAUSE_SECONDS = 0.2
_REQUESTS = (
    *(("GET", f"/products/{product}") for product in (*PRODUCTS, *PRODUCTS)),
    *(("POST", f"/products/{product}/orders") for product in PRODUCTS),
    ("GET", "/products/404"),
    ("POST", "/products/404/orders"),
    ("GET", "/recommendations"),
    ("GET", "/favicon.ico"),
)


class Traffic:
    """Threads that visit a server on this machine, about twenty requests a second, until the ``with`` ends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._visitors = [threading.Thread(target=self._visit, name="visitor", daemon=True) for _ in range(_VISITORS)]

    def __enter__(self) -> Self:
        for visitor in self._visitors:
            visitor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for visitor in self._visitors:
            visitor.join()

    def _visit(self) -> None:
        while not self._over.wait(random.uniform(0, 2 * _PAUSE_SECONDS)):  # noqa: S311 - nothing secret
            with suppress(OSError, HTTPException):  # a worker that restarts is part of a server's life
                self._ask(*random.choice(_REQUESTS))  # noqa: S311 - nothing secret

    def _ask(self, method: str, path: str) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)  # a new one each time, for any of the workers
        try:
            connection.request(method, path)
            connection.getresponse().read()
        finally:
            connection.close()
