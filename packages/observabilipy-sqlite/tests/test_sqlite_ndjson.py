"""Lines of NDJSON from SQLite: the bytes of ``encode_entry``, whatever was logged and whatever is asked for."""

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.encoding.ndjson import encode_entry
from observabilipy.models import LogEntry, LogQuery, from_micros
from observabilipy.storage import InMemoryLogStorage
from observabilipy_sqlite import SQLiteStorage, pages, reading, sealing

MICROS = st.integers(-62_135_596_800_000_000, 253_402_300_799_000_000) | st.integers(-2_000_000, 2_000_000)
# All planes, and more often what has a meaning to JSON, SQL, printf or readers of lines.
CHARACTERS = st.characters() | st.sampled_from(
    "aA\u0130\u0131\u212a\xdf\"'\\/%_*nu0\x00\x01\n\r\t\x1b\x7f\x85\u2028\u2029é€🎉"
)
TEXT = st.text(CHARACTERS, max_size=20)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1e16, 1e-7, 1.5])
VALUES = (
    TEXT | NUMBERS | st.none() | st.booleans() | st.lists(TEXT, max_size=3) | st.dictionaries(TEXT, TEXT, max_size=2)
)
NAMES = st.sampled_from(["tier", "a.b", 'quo"te', "\u2028", "", "%s"]) | TEXT
ENTRIES = st.lists(
    st.builds(
        LogEntry,
        MICROS.map(from_micros),
        st.sampled_from(["DEBUG", "INFO", "ERROR"]) | TEXT.filter(lambda name: bool(name.strip())),
        TEXT,
        st.dictionaries(NAMES, VALUES, max_size=4),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def file() -> Iterator[SQLiteStorage]:
    with tempfile.TemporaryDirectory() as directory:
        storage = SQLiteStorage(Path(directory, "obs.db"))
        yield storage
        storage.close()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db")
    yield storage
    await storage.aclose()


async def lines(storage: SQLiteStorage, query: LogQuery) -> list[bytes]:
    return [line async for page in storage.read_ndjson(query) for line in page.lines.splitlines(keepends=True)]


def packed(storage: SQLiteStorage) -> None:
    """Pack what there is, however little that is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "MOST_PLACES", 1)
        for _ in range(50):  # a tenth of a second each
            storage.maintain()
            (plain,) = storage._database.read(
                lambda connection: connection.execute("SELECT count(*) FROM segment WHERE codec = 0").fetchone()
            )
            if not plain:
                return
    raise AssertionError(f"{plain} segments are not packed")


@pytest.mark.properties
@given(entries=ENTRIES)
async def test_every_entry_is_the_line_that_encode_entry_makes_of_it(
    file: SQLiteStorage, entries: list[LogEntry]
) -> None:
    await file.delete_oldest_logs(10_000)
    await file.write_logs(entries)
    stored = [entry async for entry in file.read_logs(LogQuery())]

    assert [(one.timestamp, one.level, one.message) for one in stored] == [
        (one.timestamp, one.level, one.message) for one in entries
    ]
    assert await lines(file, LogQuery()) == [encode_entry(entry) for entry in stored]
    assert await lines(file, LogQuery(text="", attributes={}, order="desc")) == [*map(encode_entry, stored[::-1])]


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[LogEntry], LogQuery]:
    """Entries, and a query that has parts of them in it."""
    entries = draw(ENTRIES)
    messages = [entry.message for entry in entries] or [""]
    named = [(name, value) for entry in entries for name, value in entry.attributes.items()] or [("tier", "gold")]
    start, end = sorted((draw(st.integers(0, 20)), draw(st.integers(0, 20))))
    text = draw(st.sampled_from(messages))[start:end]
    name, value = draw(st.sampled_from(named))
    spelled = value if isinstance(value, str) else json.dumps(value)
    return entries, LogQuery(
        since=draw(st.none() | st.just(0.0)),
        levels=draw(st.none() | st.just({entry.level for entry in entries[:2]})),
        text=draw(st.sampled_from([None, text, text.upper(), text.swapcase(), draw(TEXT)])),
        attributes=draw(st.sampled_from([{}, {}, {name: spelled}, {name: draw(TEXT)}])),
        order=draw(st.sampled_from(["asc", "desc"])),
        limit=draw(st.none() | st.integers(1, 5)),
    )


@pytest.mark.properties
@given(asked())
async def test_filters_in_sql_agree_with_those_in_memory(
    file: SQLiteStorage, given_and_asked: tuple[list[LogEntry], LogQuery]
) -> None:
    entries, query = given_and_asked
    memory = InMemoryLogStorage()
    await file.delete_oldest_logs(10_000)
    await file.write_logs(entries)
    await memory.write_logs(entries)
    wanted = [encode_entry(replace(entry, cursor="x")) async for entry in memory.read_logs(query)]
    got = [encode_entry(replace(entry, cursor="x")) async for entry in file.read_logs(query)]

    assert got == wanted
    assert len(await lines(file, query)) == len(wanted)
    assert await file.count_logs(query) == len(wanted)

    packed(file)
    assert [encode_entry(replace(entry, cursor="x")) async for entry in file.read_logs(query)] == wanted
    assert await file.count_logs(query) == len(wanted)


@pytest.mark.parametrize(
    "value",
    [
        ["a", "b"],
        {"c": 1, "d": [2, 3]},
        1e16,
        1e22,
        1e-7,
        -0.0,
        1.0,
        7,
        2**200,
        True,
        None,
        "7",
        "1e16",
        "é\u2028",
        'a"\\',
    ],
    ids=repr,
)
async def test_an_attribute_is_found_by_its_spelling(storage: SQLiteStorage, value: object) -> None:
    await storage.write_logs(
        [LogEntry(1, "INFO", "this", {"name": value}), LogEntry(1, "INFO", "other", {"name": "x"})]
    )
    spelled = value if isinstance(value, str) else json.dumps(value)
    query = LogQuery(attributes={"name": spelled})
    plain = [json.loads(line)["message"] for line in await lines(storage, query)]
    packed(storage)
    got = [json.loads(line)["message"] for line in await lines(storage, query)]

    assert (plain, got) == (["this"], ["this"])


@pytest.mark.parametrize("query", [LogQuery(), LogQuery(order="desc"), LogQuery(attributes={"n": "1"})])
async def test_what_is_held_at_once_is_bounded_in_bytes_however_large_entries_are(
    storage: SQLiteStorage, query: LogQuery
) -> None:
    sizes = [1] * 300 + [250_000] * 20 + [1] * 300 + [600_000] + [3_000] * 500
    await storage.write_logs([LogEntry(1, "INFO", "x" * size, {"n": 1}) for size in sizes])
    held = []
    todo: pages.Span | None = None
    while todo is None or not todo.is_empty:
        part = await asyncio.to_thread(reading.ndjson, storage._async_database, query, todo, 10_000)
        held.append([len(page.lines) for page in part.items])
        todo = part.rest

    assert sum(map(len, held)) > 40
    assert max(sum(sizes) for sizes in held if len(sizes) > 1) < 1_000_000
    assert max(max(sizes) for sizes in held if sizes) < 600_200


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    ("filters", "is_packed", "trips"),
    [
        (LogQuery(text="nowhere"), False, 40),  # what is not sealed is read as a whole, half a megabyte at a time
        (LogQuery(attributes={"a": "b"}), False, 40),
        (LogQuery(text="nowhere"), True, 2),  # messages alone, of sixteen megabytes at a time
        (LogQuery(attributes={"a": "b"}), True, 1),  # filters alone, of 256 segments at a time
    ],
)
async def test_where_nothing_matches_each_transaction_looks_at_a_part_of_the_log(
    storage: SQLiteStorage, filters: LogQuery, is_packed: bool, trips: int, order: str
) -> None:
    message = "x" * 1_000
    for _ in range(20):
        await storage.write_logs([LogEntry(1, "INFO", message, {"a": 1})] * 1_000)
    if is_packed:
        packed(storage)
    query = replace(filters, order="desc" if order == "desc" else "asc")
    lefts = []
    todo: pages.Span | None = None
    while todo is None or not todo.is_empty:
        part = await asyncio.to_thread(reading.ndjson, storage._async_database, query, todo, 10)
        todo = part.rest
        lefts.append(todo.high - todo.low)

    assert (len(lefts), lefts[-1], lefts) == (trips, 0, sorted(set(lefts), reverse=True))


@pytest.mark.parametrize("filters", [LogQuery(levels={"ERROR"}), LogQuery(since=9), LogQuery(min_level="WARNING")])
async def test_segments_without_the_level_or_time_are_not_unpacked(storage: SQLiteStorage, filters: LogQuery) -> None:
    for _ in range(20):
        await storage.write_logs([LogEntry(1, "INFO", "x" * 1_000)] * 1_000)
    part = await asyncio.to_thread(reading.ndjson, storage._async_database, filters, None, 10)

    assert part.rest.is_empty


async def test_deleted_entries_are_jumped_over(storage: SQLiteStorage) -> None:
    await storage.write_logs([LogEntry(1, "INFO", "first")])
    await storage.write_logs([LogEntry(1, "DEBUG", "middle")] * 60_000)
    await storage.write_logs([LogEntry(1, "INFO", "last")])
    await storage.delete_oldest_logs(60_000, "DEBUG")
    got = [[json.loads(line)["message"] for line in await lines(storage, LogQuery(order=o))] for o in ("asc", "desc")]

    assert got == [["first", "last"], ["last", "first"]]


async def test_times_that_go_up_and_down_are_filtered_exactly(storage: SQLiteStorage) -> None:
    for start in (20_000, 0, 10_000):
        moments = range(start, start + 10_000)
        await storage.write_logs([LogEntry(number // 10, "INFO", f"{number}") for number in moments])
    queries = [LogQuery(since=2_500), LogQuery(since=2_500, order="desc"), LogQuery(since=990, until=1_010)]
    found = [[json.loads(line)["message"] for line in await lines(storage, query)] for query in queries]
    late = [str(number) for number in range(25_000, 30_000)]

    assert found[:2] == [late, late[::-1]]
    assert sorted(map(int, found[2])) == list(range(9_900, 10_100))
    assert [await storage.count_logs(query) for query in queries] == [5_000, 5_000, 200]


async def test_thousands_of_attributes_may_be_asked_for(storage: SQLiteStorage) -> None:
    wanted = {f"name {number}": "value" for number in range(2_000)}
    await storage.write_logs([LogEntry(1, "INFO", "few", {"name 0": "value"}), LogEntry(1, "INFO", "all", wanted)])
    got = [json.loads(line)["message"] for line in await lines(storage, LogQuery(attributes=wanted))]

    assert got == ["all"]


async def test_a_read_ends_where_another_file_takes_the_place_of_the_first(storage: SQLiteStorage) -> None:
    await storage.write_logs([LogEntry(1, "INFO", f"old {number}") for number in range(5_000)])
    reading_on = storage.read_ndjson(LogQuery())
    got = [await anext(reading_on)]
    for suffix in ("", "-wal", "-shm"):
        Path(f"{storage.path}{suffix}").unlink(missing_ok=True)  # noqa: ASYNC240 - nobody waits here
    await storage.write_logs([LogEntry(1, "INFO", f"new {number}") for number in range(5_000)])
    got += [page async for page in reading_on]
    generations = {page.last.partition("-")[0] for page in got}

    assert len(generations) == 1
    assert b'"new' not in b"".join(page.lines for page in got)


async def test_levels_of_any_text_are_counted_and_deleted_by_their_name(storage: SQLiteStorage) -> None:
    odd = 'OWN "LEVEL"\x00\u2028\\'
    await storage.write_logs([LogEntry(1, odd, "a"), LogEntry(1, "INFO", "b"), LogEntry(1, odd, "c")])
    before = (await storage.log_facts()).levels
    gone = await storage.delete_oldest_logs(1, odd), await storage.delete_logs_before(2, odd)
    after = (await storage.log_facts()).levels

    assert {name: facts.count for name, facts in before.items()} == {odd: 2, "INFO": 1}
    assert (gone, {name: facts.count for name, facts in after.items()}) == ((1, 1), {"INFO": 1})


async def test_the_text_of_the_log_lies_in_the_file_as_within_a_json_string(storage: SQLiteStorage) -> None:
    await storage.write_logs([LogEntry(1, "INFO", "plain é"), LogEntry(1, "INFO", 'a"\\\n\x00\u2028')])
    await storage.aclose()
    connection = sqlite3.connect(storage.path)
    rows = connection.execute("SELECT messages, bytes FROM segment JOIN body USING (first)").fetchall()
    connection.close()

    assert rows == [('plain é\na\\"\\\\\\n\\u0000\\u2028'.encode(), 31)]
