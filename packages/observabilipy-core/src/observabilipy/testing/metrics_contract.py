"""What MetricsStoragePort promises, sentence by sentence.

Definitions are in ``definition_contract``, the history is in ``history_contract``.
"""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio
import inspect
import math
import sys

from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    Matcher,
    MetricKind,
    MetricQuery,
    MetricSample,
    counter,
    gauge,
)
from observabilipy.ports import MetricsStoragePort
from observabilipy.testing.definition_contract import DefinitionContract
from observabilipy.testing.entries import NOON
from observabilipy.testing.interruption import expect_interruption, interrupted
from observabilipy.testing.tables import Table, families_of, observed, table_of, totals_of

__all__ = ["MetricsStorageContract"]


class MetricsStorageContract(DefinitionContract):
    """Tests for every MetricsStoragePort: override ``make_storage``."""

    async def test_it_fills_the_port(self) -> None:
        async with self.opened() as storage:
            assert isinstance(storage, MetricsStoragePort), type(storage)

    async def test_it_may_be_closed_again(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total")])
            await storage.aclose()
            await storage.aclose()

    async def test_a_new_store_is_empty(self) -> None:
        async with self.opened() as storage:
            points = [history async for history in storage.read_history(MetricQuery("a_total"))]
            got = (await totals_of(storage), points, await storage.count_samples())

            assert got == ({}, [], 0), got

    # Totals

    async def test_increments_add_up(self) -> None:
        async with self.opened() as storage:
            for _ in range(100):
                await storage.write_samples([counter("requests_total", labels={"method": "GET"})])
            await storage.write_samples(
                [counter("requests_total", 2, labels={"method": m}) for m in ("PUT", "GET", "PUT")]
            )
            got = await totals_of(storage)

            assert got == {"requests_total": {("method", "GET"): 102, ("method", "PUT"): 4}}, got

    async def test_an_increment_of_nothing_begins_a_series(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", 0)])
            got = await totals_of(storage)

            assert got == {"a_total": {(): 0}}, got

    async def test_labels_are_compared_whatever_their_order(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", labels={"x": "1", "y": "2"})])
            await storage.write_samples([counter("a_total", labels={"y": "2", "x": "1"})])
            got = await totals_of(storage)

            assert got == {"a_total": {("x", "1", "y", "2"): 2}}, got

    async def test_label_values_of_any_text_stay_apart(self) -> None:
        values = ["", " ", "a", "A", "a\x00", "a\n", 'q"uote', "é", "e\u0301", "x" * 100_000]
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", labels={"v": value}) for value in values])
            got = await totals_of(storage)

            assert got == {"a_total": {("v", value): 1 for value in values}}, got

    async def test_whole_numbers_are_exact_up_to_two_to_the_63(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", 2**63 - 3)])
            await storage.write_samples([counter("a_total"), counter("a_total")])
            exact = (await totals_of(storage))["a_total"][()]
            await storage.write_samples([counter("a_total", 5)])
            beyond = (await totals_of(storage))["a_total"][()]

            assert (exact, type(exact)) == (2**63 - 1, int), exact
            assert (beyond, type(beyond)) == (2.0**63, float), beyond

    async def test_whole_numbers_beyond_two_to_the_63_are_floats_in_gauges_and_sums_too(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([gauge("g", 2**70), gauge("largest", _LARGEST), observed("h", (1,), 2**70)])
            await storage.write_samples([observed("h", (1,), _LARGEST), observed("h", (1,), -7)])
            got = await totals_of(storage)

            assert got == {
                "g": {(): 2.0**70},
                "h": {(): HistogramValue((1,), (1, 2), float(_LARGEST))},
                "largest": {(): float(_LARGEST)},
            }, got
            assert type(got["g"][()]) is float, got

    async def test_fractions_add_up(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", 0.5), counter("a_total", 0.25)])
            await storage.write_samples([counter("a_total", 2)])
            got = await totals_of(storage)

            assert got == {"a_total": {(): 2.75}}, got

    async def test_observations_add_up(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([observed("h", (1, 2), 0.5, 1.0, 7.0)])
            await storage.write_samples([observed("h", (1, 2), 1.5), observed("h", (1, 2))])
            got = await totals_of(storage)

            assert got == {"h": {(): HistogramValue((1, 2), (2, 1, 1), 10.0)}}, got

    async def test_the_newest_exemplar_of_a_counter_and_of_each_bucket_is_kept(self) -> None:
        async with self.opened() as storage:
            for number, value in enumerate((0.5, 7.0, 1.0)):
                exemplar = Exemplar({"trace_id": str(number)}, value, NOON + number)
                observation = HistogramValue.of((1,), [value])
                await storage.write_samples(
                    [
                        MetricSample("a_total", 1, {}, MetricKind.COUNTER, NOON, exemplars=(exemplar,)),
                        MetricSample("h", observation, {}, MetricKind.HISTOGRAM, NOON, exemplars=(exemplar,)),
                        counter("a_total"),
                    ]
                )
            got = {family.name: family.series[0].exemplars for family in await families_of(storage)}

            wanted = Exemplar({"trace_id": "2"}, 1.0, NOON + 2), Exemplar({"trace_id": "1"}, 7.0, NOON + 1)
            assert got == {"a_total": wanted[:1], "h": wanted}, got

    async def test_a_gauge_has_the_value_written_last_whatever_its_timestamp(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([gauge("g", 1, timestamp=NOON + 60)])
            await storage.write_samples([gauge("g", 3, timestamp=NOON + 30), gauge("g", -2.5, timestamp=NOON - 60)])
            got = await totals_of(storage)

            assert got == {"g": {(): -2.5}}, got

    async def test_gauges_may_be_nan_or_infinite(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([gauge("g", value, labels={"v": str(value)}) for value in _ODD_NUMBERS])
            got = (await totals_of(storage))["g"]

            assert {key[1]: repr(value) for key, value in got.items()} == {str(v): repr(v) for v in _ODD_NUMBERS}, got

    async def test_a_plain_gauge_of_a_summed_family_counts_with_its_latest_value(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("g", MetricKind.GAUGE, "G.", aggregate="sum")])
            await storage.write_samples([gauge("g", 3)])
            await storage.write_samples([gauge("g", 5)])
            self.clock.advance(86_400)
            got = await totals_of(storage)

            assert got == {"g": {(): 5}}, got

    async def test_a_write_that_fails_midway_adds_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total"), gauge("g", 1)])
            samples = [counter("a_total"), gauge("g", 9), counter("new_total"), observed("h", (1,), 0.5)]
            await expect_interruption(storage.write_samples(interrupted(samples)))
            got = await totals_of(storage)

            assert got == {"a_total": {(): 1}, "g": {(): 1}}, got

    async def test_created_stays_that_of_the_first_report(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", timestamp=self.clock()), observed("h", (1,))])
            first = [family.series[0].created for family in await families_of(storage)]
            self.clock.advance(3600)
            await storage.write_samples([counter("a_total", timestamp=self.clock()), observed("h", (1,), 2)])
            later = [family.series[0].created for family in await families_of(storage)]

            assert first == [NOON, NOON], first
            assert later == first, later

    # Reading totals

    async def test_totals_is_a_plain_function_that_gives_an_async_iterator(self) -> None:
        async with self.opened() as storage:
            got = storage.totals()

            assert not inspect.iscoroutine(got), got
            assert [family async for family in got] == []

    async def test_families_come_in_the_order_of_their_names(self) -> None:
        names = ["c_total", "B_total", "a_total", "a1_total", "a_b_total"]
        async with self.opened() as storage:
            await storage.write_samples(map(counter, names))
            got = [family.name for family in await families_of(storage)]

            assert got == sorted(names), got

    async def test_totals_may_be_asked_for_by_name(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples(map(counter, ["a_total", "b_total", "c_total"]))
            wanted: tuple[list[str], ...] = (["c_total", "a_total", "a_total", "unknown"], ["unknown"], [])
            got = [[family.name async for family in storage.totals(names)] for names in wanted]

            assert got == [["a_total", "c_total"], [], []], got

    async def test_totals_are_one_consistent_snapshot(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples(map(counter, _PAIR))
            reading = storage.totals()
            got = [await anext(reading)]
            writing = asyncio.to_thread(asyncio.run, _write_pair(storage))
            await asyncio.wait_for(writing, timeout=30)
            got += [family async for family in reading]

            assert table_of(got) == {name: {(): 1} for name in _PAIR}, got

    async def test_two_event_loops_in_two_threads_write_and_read_at_once(self) -> None:
        async with self.opened() as storage:
            torn = await asyncio.gather(
                asyncio.to_thread(asyncio.run, _write_pairs(storage)),
                asyncio.to_thread(asyncio.run, _write_pairs(storage)),
            )
            got = await totals_of(storage)

            assert list(torn) == [[], []], f"half a write was seen: {torn}"
            assert got == {name: {(): 80} for name in _PAIR}, got

    # Deleting

    async def test_delete_series_takes_those_that_match_all_matchers(self) -> None:
        labels = [{"x": "1", "y": "1"}, {"x": "1", "y": "2"}, {"x": "2", "y": "1"}]
        async with self.opened() as storage:
            await storage.write_samples([counter(name, labels=pair) for name in _PAIR for pair in labels])
            gone = await storage.delete_series(
                [Matcher("__name__", _PAIR[0]), Matcher("x", "1"), Matcher("y", "1", "!=")]
            )
            gone_too = await storage.delete_series([Matcher("__name__", _PAIR[1]), Matcher("absent", "")])
            got = await totals_of(storage)

            assert (gone, gone_too) == (1, 3), (gone, gone_too)
            assert got == {_PAIR[0]: {("x", "1", "y", "1"): 1, ("x", "2", "y", "1"): 1}}, got

    async def test_delete_series_without_matchers_takes_all(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total"), gauge("g", 1), observed("h", (1,), 1)])
            gone = await storage.delete_series([])
            got = await totals_of(storage)

            assert (gone, got) == (3, {}), (gone, got)

    async def test_delete_series_may_spare_those_that_reported_since(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", labels={"x": x}, timestamp=self.clock()) for x in "12"])
            self.clock.advance(60)
            await storage.write_samples([counter("a_total", labels={"x": "2"}, timestamp=self.clock())])
            gone = [await storage.delete_series([], idle_since=NOON + second) for second in (0, 60)]
            got = await totals_of(storage)

            assert (gone, got) == ([0, 1], {"a_total": {("x", "2"): 2}}), (gone, got)

    async def test_a_deleted_series_begins_anew_and_makes_room(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("a_total", MetricKind.COUNTER, "A.", series_limit=2)])
            await storage.write_samples([counter("a_total", 9, labels={"x": x}) for x in "12"])
            await storage.delete_series([Matcher("x", "1")])
            self.clock.advance(60)
            await storage.write_samples([counter("a_total", labels={"x": "1"}, timestamp=self.clock())])
            (family,) = await families_of(storage)
            got = sorted((series.labels["x"], series.value, series.created) for series in family.series)

            assert [(x, value) for x, value, _ in got] == [("1", 1), ("2", 9)], got
            assert got[0][2] == NOON + 60, got


_PAIR = ("a_total", "z_total")
_LARGEST = int(sys.float_info.max)
_ODD_NUMBERS = (math.nan, math.inf, -math.inf, 1e308, 5e-324, -7)


async def _write_pair(storage: MetricsStoragePort) -> None:
    await storage.write_samples(map(counter, _PAIR))


async def _write_pairs(storage: MetricsStoragePort) -> list[Table]:
    """Write two counters together, forty times; give the totals seen meanwhile in which they differ."""
    seen = []
    for _ in range(40):
        await _write_pair(storage)
        seen.append(await totals_of(storage))
    return [table for table in seen if table[_PAIR[0]] != table[_PAIR[1]]]
