"""NDJSON: one entry, one line."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.ndjson import encode_entry, encode_logs, encode_stored
from observabilipy.models import LogEntry, from_micros


async def stream(*entries: LogEntry) -> AsyncIterator[LogEntry]:
    for entry in entries:
        yield entry


def test_a_stored_entry_is_one_line_with_its_cursor() -> None:
    entry = LogEntry(1763826000.123456, "INFO", "order placed", {"tier": "gold"}, cursor="k3f9-7")

    assert encode_entry(entry) == (
        b'{"cursor":"k3f9-7","timestamp":1763826000.123456,"level":"INFO","message":"order placed",'
        b'"attributes":{"tier":"gold"}}\n'
    )


def test_an_entry_that_was_never_stored_has_no_cursor() -> None:
    assert encode_entry(LogEntry(0, "INFO", "a\n\u2028b")) == (
        b'{"timestamp":0.000000,"level":"INFO","message":"a\\n\\u2028b","attributes":{}}\n'
    )


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (1, b"0.000001"),
        (-1, b"-0.000001"),
        (-1_500_000, b"-1.500000"),
        (253_402_300_799_999_999, b"253402300799.999999"),
    ],
)
def test_timestamps_have_six_decimals(micros: int, text: bytes) -> None:
    assert encode_stored(None, micros, "INFO", "", "{}").split(b",")[0] == b'{"timestamp":' + text


async def test_logs_come_in_chunks_of_whole_lines() -> None:
    entries = [LogEntry(number, "INFO", "x" * 10_000) for number in range(5)]

    chunks = [chunk async for chunk in encode_logs(stream(*entries))]

    assert [chunk.count(b"\n") for chunk in chunks] == [4, 1]


async def test_no_entries_give_no_chunk() -> None:
    assert [chunk async for chunk in encode_logs(stream())] == []


ENTRIES = st.builds(
    LogEntry,
    st.integers(-62_135_596_800_000_000, 253_402_300_799_000_000).map(from_micros),
    st.sampled_from(["INFO", "audit", "\udc80"]),
    st.text(st.characters()),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))),
    cursor=st.none() | st.just("k3f9-7"),
)


@pytest.mark.properties
@given(st.lists(ENTRIES))
async def test_every_entry_is_read_back_the_same(entries: list[LogEntry]) -> None:
    body = b"".join([chunk async for chunk in encode_logs(stream(*entries))])

    read = [json.loads(line) for line in body.splitlines()]
    assert [replace(LogEntry(**fields), cursor=fields.get("cursor")) for fields in read] == entries
