"""Environ: what PEP 3333 puts where, and the keys of it that are ours."""

from collections.abc import Iterator
from wsgiref.types import WSGIEnvironment

__all__ = ["REQUEST_KEY", "ROUTE_KEY", "decoded_path", "request_headers"]

REQUEST_KEY = "observabilipy.request"
"""Where in the environ the request's record is, or None for a request that is not recorded."""

ROUTE_KEY = "observabilipy.route"
"""Where an application, or an adapter to its framework, puts the template that matched."""

_WITHOUT_HTTP = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def decoded_path(path: str) -> str:
    """PATH_INFO or SCRIPT_NAME as text; what is not UTF-8 is replaced. Source: PEP 3333, "Unicode Issues"."""
    # The second "replace" is for servers that do not keep the rule and leave more than a byte in a character.
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


def request_headers(environ: WSGIEnvironment) -> Iterator[tuple[bytes, bytes]]:
    """The headers that a client sent, with names in lower case."""
    for key, value in environ.items():
        if isinstance(value, str) and (key.startswith("HTTP_") or key in _WITHOUT_HTTP):
            name = key.removeprefix("HTTP_").replace("_", "-").lower()
            yield name.encode("latin-1", "replace"), value.encode("latin-1", "replace")
