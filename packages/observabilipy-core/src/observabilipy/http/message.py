"""Request and Response: what goes into an endpoint and what comes out, for any framework."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from observabilipy.http.hangup import Client

__all__ = ["Headers", "Request", "Response", "single_chunk"]

_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case and values; a name may stand more than once."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for.

    Args:
        method: as it came, ``"GET"``.
        path: the endpoint's own, ``"/metrics"`` or ``"/logs"``, without whatever prefix it is mounted under.
        query: the query string, still percent-encoded, without the ``?``.
        headers: names in lower case, values as they came.
        client: who is at the other end of the connection, if the server tells: there it is hung up on when the process
            ends and it has not taken its answer.
    """

    method: str
    path: str
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    client: Client | None = None

    @property
    def peer(self) -> Client | None:
        """The client, unless a proxy may have named it: whoever is named there may have nothing to do with this."""
        return None if any(name in _FORWARDED for name, _ in self.headers) else self.client

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a header, by its name in lower case; empty when it was not sent."""
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True, slots=True)
class Response:
    """The answer. Send status and headers, then each chunk of ``body``.

    An empty chunk says that there is nothing to send yet: a moment to look whether the client is still there. A
    ``live`` body has its next chunk when something happens: send each at once, and wait for none before the headers.

    A body that is not read to its end must be closed (``await response.body.aclose()``): it may hold a read of the
    store open. An exception from the body means that the answer is not whole, as ``Stopped`` at the end of the process
    does: let the connection break.
    """

    status: int
    headers: Headers
    body: AsyncGenerator[bytes, None]
    live: bool = False


async def single_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    """A body that is known already; an empty one has no chunk."""
    if body:
        yield body
