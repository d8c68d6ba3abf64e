"""Whatever a client sends: an answer that is no 5xx, and no exception."""

import random

from observabilipy.http import Endpoints, Request
from observabilipy.models import LogEntry, counter
from observabilipy.storage.memory import MemoryStorage

SEED = 20_261_122
REQUESTS = 5_000

NAMES = [b"since", b"until", b"level", b"min_level", b"q", b"attr.a", b"attr.", b"order", b"limit", b"after", b"before"]
NAMES += [b"name[]", b"name%5B%5D", b"", b"%FF", b"x", b"%73ince"]
VALUES = [b"", b"0", b"-1", b"1", b"10000", b"all", b"start", b"nan", b"1e309", b"9" * 400, b"9223372036854775808"]
VALUES += [b"1_0", b"%EF%BC%91", b"%00", b"%0d%0aset-cookie:%20a=b", b"%ED%A0%80", b"%", b"%zz", b"\xff", b"a,b,,c"]
VALUES += [b"2026-11-22T20:00:00Z", b"2026-11-22T20:00:00+99:99", b"9999-12-31T23:59:60-23:59", b"k3f9-7", b"error"]
VALUES += [b"asc", b"desc", b"k3f9-99999999999999999999", b"orders_total", b"%E2%80%A8", b"%F0%9F%92%A9", b">;rel=x"]
HEADERS = [b"authorization", b"accept", b"accept-encoding", b"host", b""]
HEADER_VALUES = [b"Bearer s3cret", b"bearer \xff", b"Basic !!!", b"Basic " + b"=" * 99, b"Basic Og==", b"Bearer", b""]
HEADER_VALUES += [b"gzip", b"gzip;q=0", b"*;q=", b";;;,,,=", b"application/openmetrics-text;q=1.5", b"*/*;q=\xff", b","]
PATHS = [*["/logs"] * 12, *["/metrics"] * 4, "/health", "/", "", "/logs/", "/\udc80", "/logs\0", "*"]
METHODS = [*["GET"] * 16, "HEAD", "HEAD", "POST", "", "get", "\udc80"]


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(60))


def query(chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return noise(chance) * chance.choice([1, 1, 1, 400])
    pairs = [(chance.choice(NAMES), pick(chance, VALUES)) for _ in range(chance.choice([0, 1, 1, 1, 2, 3, 150]))]
    return b"&".join(name + b"=" + value for name, value in pairs)


def pick(chance: random.Random, values: list[bytes]) -> bytes:
    return noise(chance) if chance.random() < 0.1 else chance.choice(values)


def hostile(chance: random.Random) -> Request:
    headers = [(chance.choice(HEADERS), pick(chance, HEADER_VALUES)) for _ in range(chance.randrange(4))]
    if chance.random() < 0.8:
        headers = [*(pair for pair in headers if pair[0] != b"authorization"), (b"authorization", b"Bearer s3cret")]
    return Request(chance.choice(METHODS), chance.choice(PATHS), query(chance), headers)


def forbidden_in_a_header(value: bytes) -> bool:
    return any(byte < 0x20 or byte > 0x7E for byte in value)


async def trouble(endpoints: Endpoints, request: Request) -> str | None:
    """What is wrong with the answer to a request, if anything."""
    response = await endpoints.handle(request)
    async for _ in response.body:
        pass
    if response.status >= 500:
        return f"{response.status} for {request}"
    if any(forbidden_in_a_header(value) for _, value in response.headers):
        return f"{response.headers} for {request}"
    return None


async def test_five_thousand_hostile_requests_cause_no_5xx_and_no_exception() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    storage = MemoryStorage()
    await storage.write_logs([LogEntry.info(f"entry {number}", a=str(number)) for number in range(5)])
    await storage.write_samples([counter("orders_total")])
    reported: list[Exception] = []
    endpoints = Endpoints(storage, auth="s3cret", health=True, on_error=reported.append)

    troubles = [await trouble(endpoints, hostile(chance)) for _ in range(REQUESTS)]

    assert (reported, [found for found in troubles if found]) == ([], [])
