"""Hostile requests: what a client may send, as values that each driver spells for its interface."""

import random
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["TOKEN", "Hostile", "hostile_requests"]

TOKEN = "storm-tokén-ß"

_HUGE = 64 * 1024
_NOISE_SHARE = 0.05
_NOISE = random.Random(0).randbytes(2 * _HUGE)

_READ_PATHS = (*[b"/logs"] * 7, b"/metrics", b"/health")
_METHODS = (*["GET"] * 30, "HEAD", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY")
_ODD_METHODS = (
    "get",
    "Head",
    "BREW",
    "GE\u00c9T",
    "",
    " GET",
    "GET ",
    "\x00",
    "G" * 5000,
    "_OTHER",
    "PROPFIND",
    "GET\r\n",
)

_NUMBERS = [b"", b"0", b"1", b"-1", b"+1", b"10000", b"10001", b"9223372036854775808", b"1e400", b"nan", b"inf", b"1_0"]
_NUMBERS += [b"%EF%BC%99", b"9" * 5000, b"0x10", b"1.", b".5", b"-0", b"253402300800", b"%D9%A3", b"1" * 20, b"all"]
_BROKEN = [b"%", b"%zz", b"%F", b"%FF", b"%ED%A0%80", b"%00", b"%0d%0aset-cookie:%20a=b", b"\xff", b"\x00", b"%C0%AF"]
_BROKEN += [b"%E2%80%A8", b"%F0%9F%92%A9", b"'%20or%201=1--", b"<script>", b">;rel=x,<", b"%25", b"+", b"x" * 9000]
_MOMENTS = [b"2026-11-22T20:00:00Z", b"2026-11-22T20:00:00%2B99:99", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:60Z"]
_CURSORS = [b"start", b"-", b"k3f9-", b"-7", b"k3f9-7", b"k3f9-99999999999999999999", b"k" * 5000, b"k3f9-%EF%BC%97"]
_LEVELS = [b"error", b"ERROR,info", b",,,", b"x" * 65, b"%FFerror", b"," * 3000, b"warn", b"\xc4\xb0nfo", b"5"]
_ORDERS = [b"asc", b"desc", b"DESC", b"random"]
_VALUES = {
    b"limit": [*_NUMBERS, *_BROKEN],
    b"since": [*_NUMBERS, *_MOMENTS, *_BROKEN],
    b"until": [*_NUMBERS, *_MOMENTS, *_BROKEN],
    b"after": [*_CURSORS, *_NUMBERS, *_BROKEN],
    b"before": [*_CURSORS, *_NUMBERS, *_BROKEN],
    b"level": [*_LEVELS, *_BROKEN],
    b"min_level": [*_LEVELS, *_BROKEN],
    b"order": [*_ORDERS, *_BROKEN],
    b"q": [*_BROKEN, b"GET", b"%", b"a" * 300],
    b"attr.path": [*_BROKEN, b"/stream"],
    b"attr.": _BROKEN,
    b"name[]": [*_BROKEN, b"http_server_active_requests", b"x_total", b"_bucket"],
    b"name%5B%5D": [*_BROKEN, b"http_server_request_duration_seconds_count"],
    b"%6Cimit": _NUMBERS,
    b"%FF": _BROKEN,
    b"": _BROKEN,
    b"page": _NUMBERS,
}
_NAMES = [*_VALUES, b"limit", b"since", b"after", b"level"]
_MANY = [
    b"&".join([b"level=x"] * 3000),
    b"a&" * 5000,
    b"&" * 60_000,
    b"attr.a=1&" * 101,
    b"level=error&" * 100,
    b"=" * 999,
]
_VALID = [b"", b"", b"limit=5", b"level=error,info&limit=3", b"after=start&limit=2", b"order=desc&limit=1", b"q=items"]
_VALID += [b"since=1763826000.5", b"min_level=warning", b"name[]=http_server_active_requests", b"limit=all"]

_TOKEN_BYTES = TOKEN.encode()
_GOOD = [b"Bearer " + _TOKEN_BYTES, b"bearer  " + _TOKEN_BYTES + b" ", b"Basic " + b64encode(b"any:" + _TOKEN_BYTES)]
_BAD = [b"", b"Bearer", b"Bearer ", b"Bearer wrong", b"Bearer \xff\xfe", b"Bearer " + TOKEN.encode("latin-1")]
_BAD += [b"Basic !!!", b"Basic " + b"=" * 99, b"Basic Og==", b"Basic \xc3\xa9", b"Basic", b"Negotiate x", _TOKEN_BYTES]
_BAD += [
    b"Bearer" + _TOKEN_BYTES,
    b"Bearer " + _TOKEN_BYTES + b"," + _TOKEN_BYTES,
    b"Bearer " + b"A" * _HUGE,
    b"\x00" * 9,
]
_BAD += [b"Basic " + b64encode(_TOKEN_BYTES), b"Basic " + b64encode(b"x" * _HUGE), b"Digest username=" + _TOKEN_BYTES]

_ACCEPT = [
    b"*/*",
    b"application/openmetrics-text;version=1.0.0",
    b"*;q=",
    b";;;,,,=",
    b"\xff",
    b"text/html;q=1.5",
    b",",
]
_ACCEPT += [
    b"*/*;q=" + b"9" * 5000,
    b"application/openmetrics-text;q=0.9,text/plain;q=0.8",
    b"," * 9000,
    b"a/b;" * 2000,
]
_CODINGS = [b"gzip", b"gzip;q=0", b"*", b"identity;q=0", b"br, zstd", b"\xff", b";q=1", b"gzip;q=\xb9", b"gzip," * 9000]
_IDS = [b"abc", b"", b"\xff" * 9, b"a" * 129, b"a\x00b", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01", b"00-0-0-0"]
_OTHERS = [
    b"",
    b"0",
    b"-1",
    b"9" * 5000,
    b"\xff\x00",
    b"x=" * 3000,
    _NOISE[:_HUGE],
    b"a\tb",
    b"\r\nx: y",
    b"multipart/form-data",
]
_HEADERS: list[tuple[bytes, list[bytes]]] = [
    (b"accept", _ACCEPT),
    (b"accept", _ACCEPT),
    (b"accept-encoding", _CODINGS),
    (b"accept-encoding", _CODINGS),
    (b"x-request-id", _IDS),
    (b"traceparent", _IDS),
    (b"content-length", _OTHERS),
    (b"content-type", _OTHERS),
    (b"cookie", _OTHERS),
    (b"range", _OTHERS),
    (b"x-http-method-override", [b"GET", b"\xff"]),
    (b"x-forwarded-for", _OTHERS),
    (b"if-none-match", _OTHERS),
    (b"", _OTHERS),
    (b"\xff\xfe", _OTHERS),
    (b"x" * 300, _OTHERS),
]

_APPLICATION_PATHS = [
    b"/stream",
    b"/items/",
    b"/items",
    b"/",
    b"",
    b"//",
    b"/items//",
    b"/../logs/..",
    b"/Metrics",
    b"/\x00",
]
_APPLICATION_PATHS += [
    b"/items/\xff\xfe",
    b"/items/" + b"a" * 9000,
    b"/items/\xe2\x80\xa8",
    b"/items/%",
    b"/stream/",
    b"*",
]
_APPLICATION_PATHS += [
    b"/metrics\x00",
    b"/logs/x",
    b"/items/{item}",
    b"/__unmatched__",
    b"http://x/items/1",
    b"/items/\r\n",
]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request.

    Args:
        method: as it came.
        path: percent-decoded.
        query: still encoded, or what should have been.
        headers: names in lower case; a name may stand more than once.
        reads: the endpoint of ours that the path leads to, None for a path of the application.
        has_token: exactly one good token came with it.
    """

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    reads: str | None
    has_token: bool


def hostile_requests(seed: int, prefix: str) -> Iterator[Hostile]:
    """Requests without end, the same for the same seed, each second with a token.

    Args:
        seed: of the one source of randomness.
        prefix: where the endpoints are.
    """
    chance = random.Random(seed)
    has_token = False
    while True:
        has_token = not has_token
        headers = (*_credentials(chance, good=has_token), *_headers(chance))
        method = chance.choice(_METHODS) if chance.random() < 0.9 else chance.choice(_ODD_METHODS)
        if chance.random() < 0.6:
            endpoint = chance.choice(_READ_PATHS)
            path = prefix.encode() + endpoint
            yield Hostile(method, path, _query(chance), headers, endpoint.decode(), has_token)
        else:
            yield Hostile(method, _application_path(chance), _query(chance), headers, None, has_token)


def _credentials(chance: random.Random, *, good: bool) -> Iterator[tuple[bytes, bytes]]:
    name = b"authorization"
    if good:
        yield name, chance.choice(_GOOD)
        return
    kind = chance.random()
    if kind < 0.1:
        return
    if kind < 0.2:  # which of the two is meant?
        yield from ((name, chance.choice(_GOOD)), (name, chance.choice([*_GOOD, *_BAD])))
    elif kind < 0.3:
        yield name, b"Bearer " + _noise(chance)
    else:
        yield name, chance.choice(_BAD)


def _headers(chance: random.Random) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        name, values = chance.choice(_HEADERS)
        yield name, _noise(chance) if chance.random() < _NOISE_SHARE else chance.choice(values)


def _query(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.3:
        return chance.choice(_VALID)
    if kind < 0.33:
        return chance.choice(_MANY)
    if kind < 0.36:
        return _noise(chance) * chance.choice((1, 1, 400))
    names = [chance.choice(_NAMES) for _ in range(chance.choice((1, 1, 1, 2, 4)))]
    return b"&".join(name + b"=" + chance.choice(_VALUES[name]) for name in names)


def _application_path(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.4:
        return b"/items/%d" % chance.randrange(10**9)
    if kind < 0.5:
        return b"/items/" + _noise(chance)
    return b"/" + _noise(chance) if kind < 0.6 else chance.choice(_APPLICATION_PATHS)


def _noise(chance: random.Random) -> bytes:
    start = chance.randrange(len(_NOISE) - 60)
    return _NOISE[start : start + chance.randrange(60)]
