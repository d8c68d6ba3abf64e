"""NDJSON: one entry, one line."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.json_text import json_text
from observabilipy.encoding.ndjson import encode_entry, encode_logs, encode_stored
from observabilipy.models import LogEntry, from_micros, to_micros


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
        b'{"timestamp":0.0,"level":"INFO","message":"a\\n\\u2028b","attributes":{}}\n'
    )


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, b"0.0"),
        (1, b"0.000001"),
        (-1, b"-0.000001"),
        (100, b"0.0001"),
        (999_999, b"0.999999"),
        (1_000_000, b"1.0"),
        (-1_500_000, b"-1.5"),
        (-62_135_596_800_000_000, b"-62135596800.0"),
        (1_763_826_000_000_000, b"1763826000.0"),
        (1_763_826_000_100_000, b"1763826000.1"),
        (1_763_826_000_000_010, b"1763826000.00001"),
        (4_503_599_627_370_497, b"4503599627.370497"),
        (8_589_934_592_000_001, b"8589934592.000001"),
        (253_402_300_799_999_999, b"253402300799.999999"),
    ],
)
def test_timestamps_have_as_many_of_six_decimals_as_they_need(micros: int, text: bytes) -> None:
    assert encode_stored(None, micros, "INFO", "", "{}").split(b",")[0] == b'{"timestamp":' + text


def test_a_cursor_and_a_level_are_escaped_like_any_text() -> None:
    entry = LogEntry(1, 'say "hi"', "", cursor="\u2028\n")

    assert lines_of(entry) == {
        b'{"cursor":"\\u2028\\n","timestamp":1.0,"level":"SAY \\"HI\\"","message":"","attributes":{}}\n'
    }


@pytest.mark.parametrize("hostile", [[10**5000], "\udc80", float("nan"), {"b": {1}}, b"b", None, "\u2028é"])
def test_a_line_is_the_same_in_every_way_to_write_it(hostile: object) -> None:
    entry = LogEntry(1763826000.5, "INFO", "Größe\x85", {"a": hostile, "b": 1e-7, "c": 0.5}, cursor="k3f9-7")

    assert len(lines_of(entry)) == 1


def test_attributes_that_are_no_dict_are_encoded() -> None:
    entry = LogEntry(1.5, "INFO", "")
    object.__setattr__(entry, "attributes", MappingProxyType({"a": 1}))

    assert lines_of(entry) == {b'{"timestamp":1.5,"level":"INFO","message":"","attributes":{"a":1}}\n'}


async def test_logs_come_in_chunks_of_whole_lines() -> None:
    entries = [LogEntry(number, "INFO", "x" * 10_000) for number in range(5)]

    chunks = [chunk async for chunk in encode_logs(stream(*entries))]

    assert [chunk.count(b"\n") for chunk in chunks] == [4, 1]


async def test_no_entries_give_no_chunk() -> None:
    assert [chunk async for chunk in encode_logs(stream())] == []


def lines_of(entry: LogEntry) -> set[bytes]:
    """The lines that the ways to encode an entry give."""
    attributes = json_text(entry.attributes)
    return {
        encode_entry(entry),
        encode_entry(entry, orjson.dumps),
        encode_entry(entry, None),
        encode_entry(entry, None),  # the names are known now
        encode_stored(entry.cursor, to_micros(entry.timestamp), entry.level, entry.message, attributes),
    }


ENTRIES = st.builds(
    LogEntry,
    st.one_of(
        st.integers(-62_135_596_800_000_000, 253_402_300_799_000_000),
        st.integers(-2_000_000, 2_000_000),
        st.integers(1_700_000_000_000_000, 2_250_000_000_000_000),
    ).map(from_micros),
    st.sampled_from(["INFO", "audit", "\udc80"]),
    st.text(st.characters()),
    st.dictionaries(
        st.text(),
        st.one_of(
            st.text(),
            st.integers(),
            st.booleans(),
            st.none(),
            st.lists(st.text()),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
    ),
    cursor=st.none() | st.just("k3f9-7"),
)


@pytest.mark.properties
@given(st.lists(ENTRIES))
async def test_every_entry_is_read_back_the_same(entries: list[LogEntry]) -> None:
    body = b"".join([chunk async for chunk in encode_logs(stream(*entries))])

    read = [json.loads(line) for line in body.splitlines()]
    assert [replace(LogEntry(**fields), cursor=fields.get("cursor")) for fields in read] == entries


@pytest.mark.properties
@given(ENTRIES)
def test_every_way_to_encode_an_entry_gives_the_same_line(entry: LogEntry) -> None:
    assert len(lines_of(entry)) == 1
