"""Segments: what is put in comes out, whether as written, merged, thinned or read from a damaged file."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.encoded_entries import EncodedEntry
from observabilipy.models import LogQuery, storable
from observabilipy_sqlite.bloom import may_have
from observabilipy_sqlite.matching import Matching
from observabilipy_sqlite.segment import (
    MOST_NAMES,
    MOST_PLACES,
    PACKED,
    PLAIN,
    Segment,
    Share,
    fault,
    merged,
    segments_of,
    thinned,
)
from observabilipy_sqlite.values import escaped, unescaped

TEXTS = st.text(max_size=12).map(storable)
LEVELS = st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "AUDIT", 'OWN "LEVEL"', "ZZ\\"])
PARTS = st.tuples(st.integers(-(10**12), 10**17), LEVELS, TEXTS, TEXTS.map(lambda text: f'{{"a":"{escaped(text)}"}}'))
LOGS = st.lists(PARTS, min_size=1, max_size=12)


def contents(segment: Segment) -> list[EncodedEntry]:
    """The entries, as they were before they were written."""
    rows = Matching(LogQuery()).rows(segment, segment.first, segment.first + segment.places)
    return [(micros, unescaped(level), unescaped(message), text) for _, micros, level, message, text in rows]


def expected_shares(entries: list[EncodedEntry]) -> list[Share]:
    """By looking at each entry."""
    shares = []
    for level in {entry[1] for entry in entries}:
        own = [entry for entry in entries if entry[1] == level]
        times = [entry[0] for entry in own]
        size = sum(len(escaped(message).encode()) + len(text.encode()) for _, _, message, text in own)
        shares.append((escaped(level), len(own), size, min(times), max(times)))
    return sorted(shares)


def made(entries: list[EncodedEntry], first: int = 0) -> tuple[Segment, list[Share]]:
    ((segment, shares),) = segments_of(entries)
    segment.first = first
    return segment, shares


@pytest.mark.properties
@given(LOGS)
def test_what_was_written_is_read(entries: list[EncodedEntry]) -> None:
    segment, shares = made(entries)

    assert (contents(segment), sorted(shares)) == (entries, expected_shares(entries))
    assert (segment.codec, segment.places, segment.entries, fault(segment)) == (
        PLAIN,
        len(entries),
        len(entries),
        None,
    )


@pytest.mark.properties
@given(st.lists(LOGS, min_size=1, max_size=4), st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_segments_that_follow_one_another_are_one_with_their_positions(
    logs: list[list[EncodedEntry]], gaps: list[int]
) -> None:
    ends = list(accumulate((len(log) + gap for log, gap in zip(logs, gaps, strict=False)), initial=1))
    parts = [made(log, first) for log, first in zip(logs, ends, strict=False)]
    segment, shares = merged([part for part, _ in parts], [share for _, some in parts for share in some])
    entries = [entry for log in logs for entry in log]
    positions = [row[0] for row in Matching(LogQuery()).rows(segment, 0, 10_000)]

    assert (contents(segment), sorted(shares), segment.codec) == (entries, expected_shares(entries), PACKED)
    assert positions == [first + index for log, first in zip(logs, ends, strict=False) for index in range(len(log))]


@pytest.mark.properties
@given(LOGS, st.data())
def test_what_is_left_of_a_segment_keeps_its_positions(entries: list[EncodedEntry], data: st.DataObject) -> None:
    plain, of_all = made(entries, 7)
    packed, _ = merged([plain], of_all)
    for segment in (plain, packed):
        keeps = data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries)))
        left = thinned(segment, segment.read(), keeps)
        kept = [(7 + index, entry) for index, entry in enumerate(entries) if keeps[index]]
        if left is None:
            assert not kept
            continue
        new, shares = left
        rows = Matching(LogQuery()).rows(new, 0, 10_000)

        assert ([row[0] for row in rows], contents(new)) == ([place for place, _ in kept], [one for _, one in kept])
        assert sorted(shares) == expected_shares([entry for _, entry in kept])
        assert (new.first, new.first + new.places) == (kept[0][0], kept[-1][0] + 1)  # no holes at its ends
        assert new.codec == segment.codec


def test_a_segment_has_a_limited_number_of_entries_of_bytes_and_of_names() -> None:
    many = segments_of([(1, "INFO", "m", "{}")] * 2_500)
    large = segments_of([(1, "INFO", "m" * 200_000, "{}")] * 5)
    odd = segments_of([(1, f"LEVEL {number}", "m", "{}") for number in range(600)])

    assert [segment.places for segment, _ in many] == [MOST_PLACES, MOST_PLACES, 452]
    assert [segment.places for segment, _ in large] == [2, 2, 1]
    assert [segment.places for segment, _ in odd] == [MOST_NAMES, MOST_NAMES, 100]
    assert [contents(segment)[0][1] for segment, _ in odd] == ["LEVEL 0", "LEVEL 250", "LEVEL 500"]


def test_what_is_packed_is_much_smaller() -> None:
    entries = [
        (1_763_826_000_123_456 + 1_733 * number, "INFO", f"order {number} placed", f'{{"cents":{1999 + number}}}')
        for number in range(1_000)
    ]
    plain, shares = made(entries)
    packed, _ = merged([plain], shares)

    def size(segment: Segment) -> int:
        return sum(map(len, (segment.timestamps, segment.codes, segment.messages, segment.attributes)))

    assert contents(packed) == entries
    assert size(packed) * 5 < size(plain)


def test_the_filter_of_what_little_is_left_is_small_and_knows_it() -> None:
    entries = [(number, "INFO", "m", f'{{"id":"{number:016x}"}}') for number in range(1_000)]
    plain, shares = made(entries)
    packed, _ = merged([plain], shares)
    half = thinned(packed, packed.read(), [number % 2 == 0 for number in range(1_000)])
    two = thinned(packed, packed.read(), [number in {7, 500} for number in range(1_000)])
    assert packed.filter is not None
    assert half is not None
    assert two is not None
    assert two[0].filter is not None

    assert half[0].filter == packed.filter  # making another one takes longer than all else
    assert len(two[0].filter) * 50 < len(packed.filter)
    assert [may_have(two[0].filter, [[b'"id":"%016x"' % number]]) for number in (7, 500)] == [True, True]


@pytest.mark.parametrize("codec", [PLAIN, PACKED])
@pytest.mark.parametrize("column", ["timestamps", "codes", "messages", "attributes"])
def test_each_changed_byte_is_found(codec: int, column: str) -> None:
    segment, shares = made([(1, "INFO", "m", "{}"), (2, "ERROR", "n", "{}")], 41)
    if codec == PACKED:
        segment, _ = merged([segment], shares)
    whole = getattr(segment, column)
    found = []
    for place in range(len(whole)):
        setattr(segment, column, whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        found.append(fault(segment))

    assert set(found) == {"damaged"}
