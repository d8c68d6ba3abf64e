"""What the ports promise about the history: the totals, sampled by ``sample_history``."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

from observabilipy.models import (
    Family,
    HistogramValue,
    Matcher,
    MetricKind,
    MetricQuery,
    SeriesHistory,
    SeriesValue,
    counter,
    gauge,
    histogram,
)
from observabilipy.ports import Batch, RuntimeStoragePort, Worker
from observabilipy.testing.contract import Contract
from observabilipy.testing.entries import NOON

__all__ = ["HistoryContract"]

_WORKER = Worker("worker-a", "host", 1, lifetime=15.0)


class HistoryContract(Contract[RuntimeStoragePort]):
    """Tests of the history for every RuntimeStoragePort: override ``make_storage``."""

    def sample(self, storage: RuntimeStoragePort) -> None:
        """Let ten seconds pass and sample."""
        self.clock.advance(10)
        storage.sample_history(self.clock())

    async def test_the_history_holds_the_totals_as_they_were(self) -> None:
        async with self.opened() as storage:
            for _ in range(3):
                await storage.write_samples([counter("a_total", 2), gauge("g", 1.5)])
                self.sample(storage)
            await storage.write_samples([counter("a_total", 2)])
            got = [await _history(storage, name) for name in ("a_total", "g")]

            assert got == [
                [SeriesHistory("a_total", MetricKind.COUNTER, {}, _points((10, 2), (20, 4), (30, 6)))],
                [SeriesHistory("g", MetricKind.GAUGE, {}, _points((10, 1.5), (20, 1.5), (30, 1.5)))],
            ], got

    async def test_histograms_are_kept_whole(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([histogram("h", HistogramValue.of((1, 2), [0.5, 9]))])
            self.sample(storage)
            await storage.write_samples([histogram("h", HistogramValue.of((1, 2), [1.5]))])
            self.sample(storage)
            got = await _history(storage, "h")

            points = _points(
                (10, HistogramValue((1, 2), (1, 0, 1), 9.5)), (20, HistogramValue((1, 2), (1, 1, 1), 11.0))
            )
            assert got == [SeriesHistory("h", MetricKind.HISTOGRAM, {}, points)], got

    async def test_whole_numbers_are_exact(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", 2**63 - 1)])
            self.sample(storage)
            (got,) = await _history(storage, "a_total")

            assert got.points == _points((10, 2**63 - 1)), got
            assert type(got.points[0][1]) is int, got

    async def test_a_query_may_match_labels(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", labels={"x": x, "y": y}) for x in "12" for y in "12"])
            await storage.write_samples([counter("b_total", labels={"x": "1"})])
            self.sample(storage)
            got = await _history(storage, "a_total", Matcher("x", "1"), Matcher("y", "1", "!="))
            every = await _history(storage, "a_total", Matcher("absent", ""))

            assert [history.labels for history in got] == [{"x": "1", "y": "2"}], got
            assert len(every) == 4, every

    async def test_since_is_inclusive_and_until_exclusive(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total")])
            for _ in range(4):
                self.sample(storage)
            query = MetricQuery("a_total", since=NOON + 20, until=NOON + 40)
            got = [history.points async for history in storage.read_history(query)]
            none = [history async for history in storage.read_history(MetricQuery("a_total", since=NOON + 41))]

            assert (got, none) == ([_points((20, 1), (30, 1))], []), (got, none)

    async def test_points_come_oldest_first_whatever_the_order_of_sampling(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total")])
            for second in (20, 10, 30):
                storage.sample_history(NOON + second)
            (got,) = await _history(storage, "a_total")

            assert got.points == _points((10, 1), (20, 1), (30, 1)), got

    async def test_a_deleted_series_ends_with_one_mark_and_may_begin_again(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", 5), counter("b_total")])
            self.sample(storage)
            await storage.delete_series([Matcher("__name__", "a_total")])
            self.sample(storage)
            self.sample(storage)
            await storage.write_samples([counter("a_total", 2)])
            self.sample(storage)
            (got,) = await _history(storage, "a_total")
            (other,) = await _history(storage, "b_total")

            assert [value for _, value in got.points] == [5, None, 2], got
            assert other.points == _points((10, 1), (20, 1), (30, 1), (40, 1)), other

    async def test_a_gauge_ends_with_a_mark_when_its_workers_are_gone(self) -> None:
        async with self.opened() as storage:
            family = Family("g", MetricKind.GAUGE, "G.", aggregate="sum")
            storage.commit(Batch(_WORKER, 1, gauges=(gauge("g", 3),), families=(family,)))
            self.sample(storage)
            self.clock.advance(20)
            self.sample(storage)
            storage.maintain()
            self.sample(storage)
            storage.commit(Batch(_WORKER, 2, gauges=(gauge("g", 4),)))
            self.sample(storage)
            (got,) = await _history(storage, "g")

            assert [value for _, value in got.points] == [3, None, 4], got

    async def test_a_hidden_series_ends_with_a_mark(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([gauge("x", 3)])
            self.sample(storage)
            await storage.register([Family("x", MetricKind.HISTOGRAM, "X.", bounds=(1,))])
            self.sample(storage)
            got = [(history.kind, [v for _, v in history.points]) for history in await _history(storage, "x")]

            assert got == [(MetricKind.GAUGE, [3, None])], got

    async def test_samples_are_counted_and_deleted_by_age_and_totals_stay(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total"), counter("b_total")])
            for _ in range(3):
                self.sample(storage)
            counted = await storage.count_samples()
            gone = await storage.delete_history_before(NOON + 20)
            left = await storage.count_samples()
            got = [history.points for name in ("a_total", "b_total") for history in await _history(storage, name)]
            totals = [(family.name, family.series[0].value) async for family in storage.totals()]

            assert (counted, gone, left) == (6, 2, 4), (counted, gone, left)
            assert got == [_points((20, 1), (30, 1))] * 2, got
            assert totals == [("a_total", 1), ("b_total", 1)], totals


def _points(*points: tuple[float, SeriesValue | None]) -> tuple[tuple[float, SeriesValue | None], ...]:
    return tuple((NOON + second, value) for second, value in points)


async def _history(storage: RuntimeStoragePort, name: str, *matchers: Matcher) -> list[SeriesHistory]:
    return [history async for history in storage.read_history(MetricQuery(name, matchers))]
