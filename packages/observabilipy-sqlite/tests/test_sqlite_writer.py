"""How samples reach the totals: by few statements, by ids that are still true, and with the models' arithmetic."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    Matcher,
    MetricKind,
    MetricSample,
    counter,
    gauge,
    histogram,
)
from observabilipy.models.totals import add_increment
from observabilipy.ports import Batch, Worker
from observabilipy_sqlite import SQLiteStorage
from observabilipy_sqlite.schema import prepare
from observabilipy_sqlite.values import exact_or_float
from observabilipy_sqlite.writer import Writer

_WORKER = Worker("worker-a")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(tmp_path / "obs.db")
    yield storage
    storage.close()


async def _totals(storage: SQLiteStorage, name: str) -> dict[str, object]:
    return {
        series.labels.get("a", ""): series.value async for family in storage.totals([name]) for series in family.series
    }


def _mixed(number: int) -> list[MetricSample]:
    exemplar = Exemplar({"trace_id": "1"}, 0.5)
    observed = HistogramValue.of((1, 2), [0.5, 3])
    samples = []
    for label in map(str, range(number)):
        samples += [
            counter("c_total", 2, labels={"a": label}),
            counter("f_total", 0.5, labels={"a": label}),
            gauge("g", 3, labels={"a": label}),
            MetricSample("h", observed, {"a": label}, MetricKind.HISTOGRAM, 5.0, exemplars=(exemplar,)),
        ]
    return samples


@pytest.mark.parametrize("again", [False, True])
def test_the_number_of_statements_hardly_grows_with_the_samples(storage: SQLiteStorage, again: bool) -> None:
    families = [Family(name, MetricKind.COUNTER, "C.", series_limit=3_000) for name in ("c_total", "f_total")]
    families += [Family("g", MetricKind.GAUGE, "G.", series_limit=3_000)]
    families += [Family("h", MetricKind.HISTOGRAM, "H.", bounds=(1, 2), series_limit=3_000)]
    storage.commit(Batch(_WORKER, 1, families=tuple(families)))
    counted = []
    for number in (16, 1_024):
        known: dict[tuple[object, ...], int] = {}
        statements: list[str] = []
        with closing(sqlite3.connect(storage.path, isolation_level=None)) as connection:
            for is_counted in (False, True)[not again :]:
                connection.set_trace_callback(statements.append if is_counted else None)
                writer = Writer(connection, 1, known=known)
                writer.add(_mixed(number))
                writer.learn()
        counted.append(len(statements))

    few, many = counted
    assert few < 40
    assert many < few + 30  # of 1,024 rows each 512 are a statement


def test_what_was_not_committed_is_not_remembered(tmp_path: Path) -> None:
    known: dict[tuple[object, ...], int] = {}
    (tmp_path / "obs.db").touch()
    with closing(sqlite3.connect(tmp_path / "obs.db", isolation_level=None)) as connection:
        prepare(connection, "normal")
        connection.execute("BEGIN")
        Writer(connection, 1, known=known).add([counter("c_total")])
        connection.execute("ROLLBACK")

        assert known == {}

        writer = Writer(connection, 1, known=known)
        writer.add([counter("c_total")])
        writer.learn()

        assert [*known.values()] == [1]


async def test_a_series_that_somebody_ended_begins_anew(storage: SQLiteStorage) -> None:
    storage.commit(Batch(_WORKER, 1, samples=(counter("c_total", 5, labels={"a": "x"}), counter("d_total", 1))))
    other = SQLiteStorage(storage.path)
    await other.delete_series([Matcher("a", "x")])
    await other.write_samples([counter("e_total", 1, labels={"a": "y"})])
    await other.aclose()
    storage.commit(Batch(_WORKER, 2, samples=(counter("c_total", 2, labels={"a": "x"}), counter("d_total", 1))))

    assert await _totals(storage, "c_total") == {"x": 2}
    assert await _totals(storage, "d_total") == {"": 2}
    assert await _totals(storage, "e_total") == {"y": 1}


async def test_ids_of_one_file_are_not_used_in_another(storage: SQLiteStorage, tmp_path: Path) -> None:
    storage.commit(Batch(_WORKER, 1, samples=tuple(counter("c_total", 1, labels={"a": a}) for a in "xy")))
    other = SQLiteStorage(tmp_path / "other.db")
    other.commit(Batch(_WORKER, 1, samples=tuple(counter("c_total", 10, labels={"a": a}) for a in "yx")))
    other.close()
    other.path.replace(storage.path)
    storage.commit(Batch(_WORKER, 2, samples=(counter("c_total", 5, labels={"a": "x"}),)))

    assert await _totals(storage, "c_total") == {"x": 15, "y": 10}


async def test_the_labels_may_come_in_any_order_and_more_than_once(storage: SQLiteStorage) -> None:
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    for sequence in (1, 2):
        storage.commit(
            Batch(
                _WORKER,
                sequence,
                samples=(
                    *(counter("c_total", 1, labels=labels) for labels in (one, other, one)),
                    *(histogram("h", HistogramValue.of((1,), [2]), labels=labels) for labels in (one, other)),
                ),
                gauges=(gauge("g", 1, labels=one), gauge("g", sequence * 10, labels=other)),
            )
        )

    assert await _totals(storage, "c_total") == {"1": 6}
    assert await _totals(storage, "g") == {"1": 20}
    assert await _totals(storage, "h") == {"1": HistogramValue((1.0,), (0, 4), 8)}


async def test_samples_beyond_the_limit_are_counted_in_each_commit(storage: SQLiteStorage) -> None:
    families = (
        Family("c_total", MetricKind.COUNTER, "C.", series_limit=1),
        Family("g", MetricKind.GAUGE, "G.", series_limit=1),
    )
    samples = tuple(counter("c_total", 1, labels={"a": a}) for a in "xyzy")
    gauges = tuple(gauge("g", 1, labels={"a": a}) for a in "xyzy")
    reports = [storage.commit(Batch(_WORKER, sequence, (), samples, gauges, families)) for sequence in (1, 2)]

    assert [(report.overflowed, report.refused) for report in reports] == [({"c_total": 3}, {"g": 3})] * 2
    assert await _totals(storage, "c_total") == {"x": 2, "__overflow__": 6}
    assert await _totals(storage, "g") == {"x": 1}


_INCREMENTS = st.lists(
    st.integers(0, 2**64) | st.floats(0, 1e300) | st.sampled_from([0.5, 0.1, 2.0**53, 2.0**53 - 0.5, 2**63 - 1, 1]),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path_factory.mktemp("sums") / "obs.db", isolation_level=None)) as connection:
        prepare(connection, "normal")
        yield connection


@given(_INCREMENTS)
def test_totals_add_up_as_in_the_models(connection: sqlite3.Connection, increments: list[float]) -> None:
    connection.execute("BEGIN")
    for increment in increments:
        Writer(connection, 1).add([counter("c_total", increment)])
    (value,) = connection.execute("SELECT value FROM total").fetchone()
    connection.execute("ROLLBACK")
    expected: float = 0
    for increment in increments:
        expected = add_increment(expected, exact_or_float(increment))

    if isinstance(expected, int):
        assert (type(value), value) == (int, expected)
    else:
        assert value == pytest.approx(expected, rel=1e-15)
