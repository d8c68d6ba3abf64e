"""``GET /metrics``: the totals, in the format the scraper prefers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from observabilipy.encoding import openmetrics, prometheus_text
from observabilipy.encoding.exposition import CONTENT_TYPES, Format, encode_metrics
from observabilipy.errors import InvalidValue
from observabilipy.http.message import Request, Response
from observabilipy.http.negotiation import accepts_gzip, preferred_format
from observabilipy.http.query_string import decoded, split_query
from observabilipy.http.shared import Renderings
from observabilipy.http.stream import begun, close, gzipped
from observabilipy.models import Family
from observabilipy.models.names import check_metric_name
from observabilipy.ports import MetricsStoragePort

__all__ = ["metrics_response"]

_Added: TypeAlias = Callable[[], Awaitable[Iterable[Family]]]
"""Gives families that are not the store's."""

_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_created", "_info")


async def metrics_response(
    storage: MetricsStoragePort,
    request: Request,
    flushed: Callable[[], Awaitable[None]],
    renderings: Renderings,
    *,
    added: _Added,
    created: bool = False,
    on_clash: Callable[[str], None] | None = None,
) -> Response:
    """Answer a scrape, with what was flushed when its parameters were understood, and with what is added to it.

    ``name[]``, repeated, asks for families: by their names with or without ``_total``, or by the name of one of their
    samples, such as ``latency_seconds_bucket``. Other parameters are ignored.

    Raises:
        Refused: a query string that is too long, or a name that is not percent-encoded UTF-8.
        StorageUnavailable: the store cannot be read now.
    """
    names = _asked_names(request.query)
    format_ = preferred_format(request.values(b"accept"))
    zipped = accepts_gzip(request.values(b"accept-encoding"))
    await flushed()

    def rendering() -> AsyncGenerator[bytes, None]:
        return _rendering(_families(storage, names, added), format_, zipped, created, on_clash)

    chunks = renderings.chunks((names, format_, zipped), rendering)
    body = await begun(chunks, chunks, request.peer)
    headers = [(b"content-type", CONTENT_TYPES[format_].encode()), (b"vary", b"Accept, Accept-Encoding")]
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    return Response(200, tuple(headers), body)


async def _rendering(
    families: AsyncGenerator[Family, None],
    format: Format,  # noqa: A002 - the word of the formats
    zipped: bool,
    created: bool,
    on_clash: Callable[[str], None] | None,
) -> AsyncGenerator[bytes, None]:
    chunks = encode_metrics(families, format, created=created, on_clash=on_clash)
    body = gzipped(chunks) if zipped else chunks
    try:
        async for chunk in body:
            yield chunk
    finally:
        for part in (body, chunks, families):
            await close(part)


def _asked_names(query: bytes) -> frozenset[str]:
    return frozenset(decoded(pair)[1] for pair in split_query(query) if unquote_to_bytes(pair.key) == b"name[]")


async def _families(storage: MetricsStoragePort, names: frozenset[str], added: _Added) -> AsyncGenerator[Family, None]:
    rest = await added()
    families = storage.totals(_candidates(names) if names else None)
    try:
        async for family in families:
            if not names or names & _spellings(family):
                yield family
        for family in rest:
            if not names or names & _spellings(family):
                yield family
    finally:
        await close(families)


def _candidates(names: Iterable[str]) -> frozenset[str]:
    """Names of families that may have such names or samples; the families themselves tell which of them do."""
    stems = {name.removesuffix(suffix) for name in names for suffix in ("", *_SUFFIXES)}
    return frozenset(name for stem in stems for name in (stem, f"{stem}_total") if _is_metric_name(name))


def _spellings(family: Family) -> frozenset[str]:
    return openmetrics.claimed_names(family) | prometheus_text.claimed_names(family) | {family.name}


def _is_metric_name(name: str) -> bool:
    try:
        check_metric_name(name)
    except InvalidValue:
        return False
    return True
