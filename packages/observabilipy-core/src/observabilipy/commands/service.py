"""Service: /logs and /metrics of a running service, and what its refusals mean for who asked."""

import json
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from ssl import SSLCertVerificationError
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from observabilipy.commands.source import Answer
from observabilipy.commands.terminal import printable
from observabilipy.errors import ObservabilityError

__all__ = ["Service", "ServiceAway", "refusal"]

_TIMEOUT_SECONDS = 30.0  # a stream says every 5 s that it is there
_CHUNK_BYTES = 65_536
_TYPES = {"/logs": "ndjson", "/metrics": "text/plain"}
_HINTS = {
    401: "set OBSERVABILIPY_TOKEN or OBSERVABILIPY_TOKEN_FILE, or name a file with --token-file",
    404: "name the address under which /logs and /metrics are served, with its prefix: http(s)://host/prefix",
}
_TLS = "let SSL_CERT_FILE name the certificate of whoever signed that of the service"


class ServiceAway(ObservabilityError):
    """A service cannot be reached, is starting or going, or broke off its answer."""


class _NoRedirects(HTTPRedirectHandler):
    """The token is for the address that was named, and for no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # Any: all that urllib hands over is left alone
        return None


class Service:
    """A service by the address under which it serves.

    Args:
        address: ``http(s)://host/prefix``; that of its /logs or /metrics will do.
        token: sent as Bearer, unless it is "".
    """

    def __init__(self, address: str, token: str) -> None:
        self._base = address.rstrip("/").removesuffix("/logs").removesuffix("/metrics")
        # Header values are bytes; urllib spells them in latin-1.
        self._headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")} if token else {}
        self._opener = build_opener(_NoRedirects)

    def get(self, path: str, query: str = "") -> Answer:
        """Ask for a path.

        Raises:
            ServiceAway: it cannot be reached, or answers with a 5xx.
            ObservabilityError: it refuses, or is no service of this kind.
        """
        url = f"{self._base}{path}" + (f"?{query}" if query else "")
        try:
            request = Request(url, headers=self._headers)  # noqa: S310 - http(s) only
            response = self._opener.open(request, timeout=_TIMEOUT_SECONDS)
        except HTTPError as error:
            raise _refused(url, error) from None
        except OSError as error:  # URLError is one
            reason = getattr(error, "reason", error)
            if isinstance(reason, SSLCertVerificationError):
                raise ObservabilityError(f"{url} cannot be trusted: {reason}: {_TLS}") from None
            raise ServiceAway(f"{url} cannot be reached: {reason}: is the service running there?") from None
        except (HTTPException, ValueError) as error:
            raise ObservabilityError(f"{url} is no service of observabilipy: {error}: {_HINTS[404]}") from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        if _TYPES[path] not in headers.get("content-type", ""):
            response.close()
            raise ObservabilityError(f"{url} is no {path} of observabilipy: {_HINTS[404]}")
        return Answer(headers, _chunks(url, response), response.close)


def _chunks(url: str, response: HTTPResponse) -> Iterator[bytes]:
    promised = response.headers.get("Content-Length")
    size = 0
    try:
        while chunk := response.read1(_CHUNK_BYTES):
            size += len(chunk)
            yield chunk
    except (OSError, HTTPException) as error:
        raise ServiceAway(f"{url} broke off: {error or type(error).__name__}: ask again") from None
    if promised is not None and promised.isdigit() and size < int(promised):
        raise ServiceAway(f"{url} broke off after {size} of {promised} bytes: ask again")


def _refused(url: str, error: HTTPError) -> ObservabilityError:
    with error:
        if 300 <= error.code < 400:
            target = error.headers.get("Location", "another address")
            return ObservabilityError(
                printable(
                    f"{url} answered {error.code}: it leads to {target}, and a token is sent nowhere else: name that"
                )
            )
        try:
            text = error.read(2_000)
        except (OSError, HTTPException):
            text = b""
    kind = ServiceAway if error.code >= 500 else ObservabilityError
    return kind(f"{printable(url)} answered {error.code}: {refusal(error.code, text)}")


def refusal(status: int, answer: bytes) -> str:
    """What a service said, on one line, and what to do about it here."""
    text = answer.decode(errors="replace").strip()
    try:
        problem = json.loads(text)
        told, hint = str(problem["detail"]), str(problem["hint"])
    except (KeyError, TypeError, ValueError):
        told, hint = text[:200] or "nothing more", ""
    hint = _HINTS.get(status, hint)
    return printable(f"{told}: {hint}" if hint else told)
