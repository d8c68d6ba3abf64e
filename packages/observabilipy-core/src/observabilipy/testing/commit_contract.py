"""What RuntimeStoragePort promises about commits."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

import asyncio
from typing import Any

from observabilipy.models import (
    OVERFLOW,
    Family,
    HistogramValue,
    LogEntry,
    LogQuery,
    MetricKind,
    counter,
    gauge,
    histogram,
)
from observabilipy.ports import Batch, CommitReport, RuntimeStoragePort, Worker
from observabilipy.testing.contract import Contract
from observabilipy.testing.entries import MANY, NOON, read
from observabilipy.testing.tables import families_of, values_of

__all__ = ["CommitContract"]

_A = Worker("worker-a", "host", 1, lifetime=15.0)
_B = Worker("worker-b", "host", 2, lifetime=15.0)
_ENTRY = LogEntry(NOON, "INFO", "order placed", {"tier": "gold"})


class CommitContract(Contract[RuntimeStoragePort]):
    """The part of RuntimeStorageContract about commits."""

    async def test_a_commit_tells_the_generation_of_the_store(self) -> None:
        async with self.opened() as storage:
            got = storage.commit(Batch(_A, 1, (_ENTRY,))).generation, (await storage.log_facts()).generation
            assert got[0] == got[1] != "", got

    async def test_a_definition_that_hides_another_kind_is_told(self) -> None:
        async with self.opened() as storage:
            older = Family("x", MetricKind.GAUGE, "X.")
            newer = Family("x", MetricKind.HISTOGRAM, "X.", bounds=(1.0,))
            reports = [
                storage.commit(Batch(_A, sequence, families=(family,))).hidden
                for sequence, family in enumerate((older, older, newer, newer), 1)
            ]
            assert reports == [{}, {}, {"x": 1}, {}], reports

    async def test_a_commit_stores_the_whole_batch(self) -> None:
        async with self.opened() as storage:
            report = storage.commit(
                Batch(
                    _A,
                    1,
                    (_ENTRY, _ENTRY),
                    (counter("a_total", 3), histogram("h", HistogramValue.of((1,), [0.5]))),
                    (gauge("g", 7),),
                    (Family("a_total", MetricKind.COUNTER, "A."), Family("h", MetricKind.HISTOGRAM, "H.", bounds=(5,))),
                )
            )
            got = (await read(storage), await values_of(storage), [f.help async for f in storage.totals(["a_total"])])

            assert got == ([_ENTRY] * 2, {"a_total": 3, "g": 7, "h": HistogramValue((5,), (1, 0), 0.5)}, ["A."]), got
            assert report == CommitReport(), report

    async def test_a_repeated_commit_does_nothing(self) -> None:
        async with self.opened() as storage:
            limited = Family("b_total", MetricKind.COUNTER, "B.", series_limit=1)
            samples = tuple(counter("b_total", labels={"x": x}) for x in "12")
            batch = Batch(_A, 1, (_ENTRY,), (counter("a_total"), *samples), (gauge("g", 1),), (limited,))
            storage.commit(batch)
            first = (await read(storage), await _series(storage))
            report = storage.commit(batch)
            again = (await read(storage), await _series(storage))

            assert again == first, again
            assert report == CommitReport(), report

    async def test_an_older_commit_does_nothing_after_a_newer_one(self) -> None:
        async with self.opened() as storage:
            for sequence in (1, 2, 1, 2, 3):
                storage.commit(Batch(_A, sequence, (), (counter("a_total"),)))
            got = await values_of(storage)

            assert got == {"a_total": 3}, got

    async def test_a_commit_is_still_known_after_its_worker_expired_and_ended(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, (_ENTRY,), (counter("a_total"),)))
            self.clock.advance(60)
            storage.maintain()
            storage.commit(Batch(_A, 1, (_ENTRY,), (counter("a_total"),)))
            storage.end_worker(_A)
            storage.maintain()
            storage.commit(Batch(_A, 1, (_ENTRY,), (counter("a_total"),)))
            got = (await read(storage), await values_of(storage))

            assert got == ([_ENTRY], {"a_total": 1}), got

    async def test_the_sequences_of_workers_are_their_own(self) -> None:
        async with self.opened() as storage:
            for worker in (_A, _B):
                storage.commit(Batch(worker, 1, (), (counter("a_total"),)))
            got = await values_of(storage)

            assert got == {"a_total": 2}, got

    async def test_a_commit_that_fails_stores_nothing_and_may_be_repeated(self) -> None:
        broken: Any = object()  # no entry, no sample: what a bug would hand over
        good = Batch(_A, 1, (_ENTRY,), (counter("a_total"),), (gauge("g", 1),))
        async with self.opened() as storage:
            for bad in (
                Batch(_A, 1, (_ENTRY, broken), good.samples, good.gauges),
                Batch(_A, 1, good.entries, (counter("a_total"), broken), good.gauges),
                Batch(_A, 1, good.entries, good.samples, (gauge("g", 1), broken)),
            ):
                try:
                    storage.commit(bad)
                except Exception:  # noqa: BLE001, S110 - which error a bug raises is not promised
                    pass
                else:
                    raise AssertionError(f"a broken batch was committed: {bad}")
            empty = (await read(storage), await values_of(storage))
            storage.commit(good)
            got = (await read(storage), await values_of(storage))

            assert empty == ([], {}), empty
            assert got == ([_ENTRY], {"a_total": 1, "g": 1}), got

    async def test_a_commit_reports_what_it_could_not_take_as_it_was(self) -> None:
        families = (
            Family("a_total", MetricKind.COUNTER, "A.", series_limit=1),
            Family("g", MetricKind.GAUGE, "G.", series_limit=1),
            Family("x", MetricKind.GAUGE, "X."),
        )
        samples = [counter("a_total", labels={"x": x}) for x in "1223"]
        hidden = histogram("x", HistogramValue.of((1,), [2]))
        gauges = tuple(gauge("g", 1, labels={"x": x}) for x in "123")
        async with self.opened() as storage:
            report = storage.commit(Batch(_A, 1, (), (*samples, hidden), gauges, families))
            later = storage.commit(Batch(_A, 2, (), (samples[0],), gauges[:1]))

            assert report == CommitReport({"a_total": 3}, {"g": 2}, {"x": 1}), report
            assert later == CommitReport(), later
            assert await _series(storage) == {
                ("a_total", "1"): 2, ("a_total", OVERFLOW): 3, ("g", "1"): 1}  # fmt: skip

    async def test_commits_and_plain_writes_meet_in_the_same_totals(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, (_ENTRY,), (counter("a_total", 2**62),), (gauge("g", 1),)))
            await storage.write_samples([counter("a_total", 2**62 - 1), gauge("g", 2)])
            await storage.write_logs([_ENTRY])
            got = (len(await read(storage)), await values_of(storage))

            assert got == (2, {"a_total": 2**63 - 1, "g": 2}), got

    async def test_commits_may_come_from_different_threads(self) -> None:
        async with self.opened() as storage:
            for sequence in range(1, 6):
                await asyncio.to_thread(storage.commit, Batch(_A, sequence, (_ENTRY,), (counter("a_total"),)))
            got = (len(await read(storage)), await values_of(storage))

            assert got == (5, {"a_total": 5}), got

    async def test_a_reader_that_pauses_holds_back_no_commit(self) -> None:
        async with self.opened() as storage:
            storage.commit(Batch(_A, 1, (_ENTRY,) * MANY, (counter("a_total"), counter("b_total"))))
            logs, totals = storage.read_logs(LogQuery()), storage.totals()
            await anext(logs)
            await anext(totals)
            commit = asyncio.to_thread(storage.commit, Batch(_A, 2, (), (counter("a_total"), counter("b_total"))))
            await asyncio.wait_for(commit, timeout=30)
            rest = (len([entry async for entry in logs]), [family.series[0].value async for family in totals])

            assert rest == (MANY - 1, [1]), rest

    async def test_plain_reads_see_no_half_of_a_commit(self) -> None:
        def work() -> None:
            for sequence in range(1, 41):
                storage.commit(Batch(_A, sequence, (_ENTRY,), (counter("a_total"), counter("b_total"))))

        async with self.opened() as storage:
            working = asyncio.create_task(asyncio.to_thread(work))
            torn = []
            while not working.done():
                values = await values_of(storage)
                entries = await storage.count_logs(LogQuery())
                total = values.get("a_total", 0)
                if values.get("b_total", 0) != total or not isinstance(total, int) or entries < total:
                    torn.append((values, entries))
                await asyncio.sleep(0)
            await working

            assert torn == [], torn[0]


async def _series(storage: RuntimeStoragePort) -> dict[tuple[str, ...], object]:
    families = await families_of(storage)
    return {(family.name, *series.labels.values()): series.value for family in families for series in family.series}
