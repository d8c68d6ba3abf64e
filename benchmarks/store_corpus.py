"""The log that the benchmarks of the SQLite store work on: the same entries whoever asks, and a file of many of them.

Two hundred templates of messages; requests that run interleaved, six entries each, every one with the uuid of its
request; 80 % INFO, 12 % DEBUG, 5 % WARNING, 3 % ERROR; 58 entries a second, so five million are a day. A line of NDJSON
has 256 bytes on average. It is generated: logs of life compress differently.

Make a file to be used again: uv run python -m benchmarks.store_corpus FILE ENTRIES
"""

import random
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from observabilipy.encoding.encoded_entries import EncodedEntry
from observabilipy_sqlite import SQLiteStorage, logs
from observabilipy_sqlite.segment import MOST_PLACES, Segment, Share, merged, segments_of

__all__ = ["BEGIN_MICROS", "BLOCK", "GAP_MICROS", "LEVELS", "block", "blocks", "fill", "request_of"]

BEGIN_MICROS = 1_763_000_000_000_000
GAP_MICROS = 1_000_000 // 58
BLOCK = 10 * MOST_PLACES
"""Entries that are generated in one piece; each begins and ends all of its requests."""

LEVELS = {"INFO": 80, "DEBUG": 12, "WARNING": 5, "ERROR": 3}

_AT_ONCE = 24  # requests under way
_EACH = 6  # entries of one
_ROUTES = ["/orders/{id}", "/cart", "/users/{id}", "/search", "/health", "/pay", "/items/{id}", "/login"]
_SUBJECTS = ["order", "cart", "payment", "user", "session", "stock", "invoice", "cache", "search", "shipment"]
_VERBS = ["was placed", "is looked up", "was updated", "could not be locked", "was sent to the queue"]
_REASONS = ["after a retry", "for the shop", "by the background job", "with new prices"]
_TEMPLATES = [f"{subject} %d {verb} {reason}" for subject in _SUBJECTS for verb in _VERBS for reason in _REASONS]


def block(number: int) -> list[EncodedEntry]:
    """The entries of a block, as the runtime hands them over."""
    numbers = random.Random(number)
    uniform, bits = numbers.random, numbers.getrandbits
    micros = BEGIN_MICROS + number * BLOCK * GAP_MICROS
    levels = numbers.choices(list(LEVELS), weights=list(LEVELS.values()), k=BLOCK)
    running: list[tuple[str, str]] = []
    left: list[int] = []
    entries: list[EncodedEntry] = []
    for level in levels:
        place = int(uniform() * _AT_ONCE)
        if place >= len(running):
            place = len(running)
            running.append(_request(bits(128), uniform()))
            left.append(_EACH)
        elif not left[place]:
            running[place] = _request(bits(128), uniform())
            left[place] = _EACH
        left[place] -= 1
        head, tail = running[place]
        message = _TEMPLATES[int(uniform() * len(_TEMPLATES))] % (100_000 + uniform() * 899_999)
        attributes = f"{head}{uniform() * 900:.3f}{tail}{int(uniform() * 90_000)}}}"
        entries.append((micros + int(uniform() * GAP_MICROS), level, message, attributes))
        micros += GAP_MICROS
    return entries


def _request(identity: int, some: float) -> tuple[str, str]:
    """What is the same in the attributes of its entries, before and after their duration."""
    tail = f',"route":"{_ROUTES[int(some * len(_ROUTES))]}","user":{10_000 + int(some * 9_999)},"bytes":'
    return f'{{"request_id":"{UUID(int=identity)}","ms":', tail


def request_of(entry: EncodedEntry) -> str:
    """The request id of an entry."""
    return entry[3][15:51]


def blocks(entries: int, start: int = 0) -> Iterator[Sequence[EncodedEntry]]:
    """So many entries, a block at a time."""
    for begin in range(0, entries, BLOCK):
        yield block(start + begin // BLOCK)[: entries - begin]


def fill(path: Path, entries: int) -> None:
    """Append so many sealed entries to a file, as sealing leaves them but without writing them twice."""
    storage = SQLiteStorage(path)
    began = time.monotonic()
    done = 0
    for some in blocks(entries):
        packed = [
            merged([segment], shares)
            for begin in range(0, len(some), MOST_PLACES)
            for segment, shares in segments_of(some[begin : begin + MOST_PLACES])
        ]
        new: list[tuple[Segment, list[Share]]] = []
        for segment, shares in packed:
            segment.first = len(new) * MOST_PLACES  # they count from 0 here
            new.append((segment, shares))

        def store(connection: sqlite3.Connection) -> None:
            logs.append(connection, new)  # noqa: B023 - called at once

        storage._database.write(store)  # noqa: SLF001 - what commit does with what it prepared
        done += len(some)
        if done % (100 * BLOCK) == 0:
            storage._database.checkpoint()  # noqa: SLF001 - as maintain does
            print(f"{done:,} entries, {done / (time.monotonic() - began):,.0f}/s", file=sys.stderr, flush=True)
    storage.maintain()
    storage.close()


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]))
