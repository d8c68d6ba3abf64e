"""What MetricsStoragePort promises about definitions and series limits."""
# ruff: noqa: S101, D102 - these are tests: they assert, and their names are their sentences.

from observabilipy.models import OVERFLOW, Family, HistogramValue, MetricKind, counter, gauge, histogram
from observabilipy.ports import MetricsStoragePort
from observabilipy.testing.contract import Contract
from observabilipy.testing.interruption import expect_interruption, interrupted
from observabilipy.testing.tables import families_of, observed, totals_of

__all__ = ["DefinitionContract"]


class DefinitionContract(Contract[MetricsStoragePort]):
    """The part of MetricsStorageContract about definitions and series limits."""

    # Definitions

    async def test_a_definition_alone_is_not_shown_and_its_series_are_ignored(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total")])
            (given,) = await families_of(storage)
            await storage.register([given, Family("b_total", MetricKind.COUNTER, "B.")])
            got = await totals_of(storage)

            assert got == {"a_total": {(): 1}}, got

    async def test_a_family_is_shown_as_registered(self) -> None:
        families = [
            Family("a_seconds_total", MetricKind.COUNTER, "A.", "seconds"),
            Family("g", MetricKind.GAUGE, "Grüße\n\\ \x00.", aggregate="max"),
            Family("h", MetricKind.HISTOGRAM, "H.", bounds=(1, 2), series_limit=7),
        ]
        async with self.opened() as storage:
            await storage.register(families)
            await storage.register(families)
            await storage.write_samples([counter("a_seconds_total"), gauge("g", 1), observed("h", (1, 2), 1)])
            got = [_definition_of(family) for family in await families_of(storage)]

            assert got == families, got

    async def test_a_bare_sample_gets_a_placeholder_help_and_the_bounds_of_the_first(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total"), observed("h", (1, 2), 1), observed("h", (5,), 3)])
            got = await families_of(storage)

            assert [(family.kind, family.bounds) for family in got] == [
                (MetricKind.COUNTER, ()),
                (MetricKind.HISTOGRAM, (1, 2)),
            ], got
            assert all(family.help.strip() for family in got), got
            assert got[1].series[0].value == HistogramValue((1, 2), (1, 0, 1), 4), got

    async def test_the_newest_definition_counts(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("g_seconds", MetricKind.GAUGE, "Old.", aggregate="sum")])
            await storage.write_samples([gauge("g_seconds", 1)])
            newest = Family("g_seconds", MetricKind.GAUGE, "New.", "seconds", aggregate="min", series_limit=5)
            await storage.register([newest])
            got = [_definition_of(family) for family in await families_of(storage)]

            assert got == [newest], got

    async def test_registering_is_all_or_nothing(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("a_total", MetricKind.COUNTER, "Old.")])
            await storage.write_samples([counter("a_total")])
            await expect_interruption(storage.register(interrupted([Family("a_total", MetricKind.COUNTER, "New.")])))
            got = [family.help for family in await families_of(storage)]

            assert got == ["Old."], got

    async def test_counts_under_older_bounds_move_to_the_first_bound_at_or_above(self) -> None:
        async with self.opened() as storage:
            await storage.register([_buckets(1, 2, 4)])
            await storage.write_samples([observed("h", (1, 2, 4), 0.5, 1.5, 3.0, 9.0)])
            await storage.register([_buckets(2, 3)])
            stored = await totals_of(storage)
            await storage.write_samples([observed("h", (1, 2, 4), 0.5, 3.0)])
            added = await totals_of(storage)

            assert stored == {"h": {(): HistogramValue((2, 3), (2, 0, 2), 14.0)}}, stored
            assert added == {"h": {(): HistogramValue((2, 3), (3, 0, 3), 17.5)}}, added

    async def test_another_kind_hides_the_older_series_until_it_returns(self) -> None:
        async with self.opened() as storage:
            await storage.register([_of_kind(MetricKind.GAUGE)])
            await storage.write_samples([gauge("x", 7)])
            await storage.register([_of_kind(MetricKind.HISTOGRAM)])
            hidden = await totals_of(storage)
            await storage.write_samples([observed("x", (1,), 2), gauge("x", 8)])
            new = await totals_of(storage)
            await storage.register([_of_kind(MetricKind.GAUGE)])
            old = await totals_of(storage)

            assert (hidden, new, old) == ({}, {"x": {(): HistogramValue((1,), (0, 1), 2)}}, {"x": {(): 8}}), (
                hidden,
                new,
                old,
            )

    # The series limit

    async def test_increments_beyond_the_limit_go_to_the_overflow_series(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("a_total", MetricKind.COUNTER, "A.", series_limit=2)])
            await storage.write_samples([counter("a_total", labels={"x": x, "y": "1"}) for x in "abcabd"])
            await storage.write_samples([counter("a_total", 5, labels={"x": x, "y": "1"}) for x in "aef"])
            got = (await totals_of(storage))["a_total"]

            assert got == {
                ("x", "a", "y", "1"): 7,
                ("x", "b", "y", "1"): 2,
                ("x", OVERFLOW, "y", OVERFLOW): 12,
            }, got

    async def test_observations_beyond_the_limit_go_to_the_overflow_series(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("h", MetricKind.HISTOGRAM, "H.", bounds=(1,), series_limit=1)])
            for x in "abc":
                await storage.write_samples([histogram("h", HistogramValue((1,), (1, 0), 0.5), labels={"x": x})])
            got = (await totals_of(storage))["h"]

            assert got == {
                ("x", "a"): HistogramValue((1,), (1, 0), 0.5),
                ("x", OVERFLOW): HistogramValue((1,), (2, 0), 1.0),
            }, got

    async def test_gauges_beyond_the_limit_are_refused_and_older_ones_go_on(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("g", MetricKind.GAUGE, "G.", series_limit=2)])
            await storage.write_samples([gauge("g", 1, labels={"x": x}) for x in "abc"])
            await storage.write_samples([gauge("g", 2, labels={"x": x}) for x in "cba"])
            got = await totals_of(storage)

            assert got == {"g": {("x", "a"): 2, ("x", "b"): 2}}, got

    async def test_the_newest_limit_counts_and_the_overflow_series_does_not(self) -> None:
        async with self.opened() as storage:
            await storage.register([Family("a_total", MetricKind.COUNTER, "A.", series_limit=1)])
            await storage.write_samples([counter("a_total", labels={"x": x}) for x in "ab"])
            await storage.register([Family("a_total", MetricKind.COUNTER, "A.", series_limit=2)])
            await storage.write_samples([counter("a_total", labels={"x": x}) for x in "cd"])
            await storage.register([Family("a_total", MetricKind.COUNTER, "A.", series_limit=1)])
            await storage.write_samples([counter("a_total", labels={"x": x}) for x in "ce"])
            got = await totals_of(storage)

            assert got == {"a_total": {("x", "a"): 1, ("x", "c"): 2, ("x", OVERFLOW): 3}}, got

    async def test_a_family_without_a_definition_has_the_usual_limit(self) -> None:
        async with self.opened() as storage:
            await storage.write_samples([counter("a_total", labels={"x": f"{number}"}) for number in range(1_003)])
            got = (await totals_of(storage))["a_total"]

            assert (len(got), got.get(("x", OVERFLOW))) == (1_001, 3), (len(got), got.get(("x", OVERFLOW)))


def _buckets(*bounds: float) -> Family:
    return Family("h", MetricKind.HISTOGRAM, "H.", bounds=bounds)


def _of_kind(kind: MetricKind) -> Family:
    return Family("x", kind, "X.", bounds=(1,) if kind is MetricKind.HISTOGRAM else ())


def _definition_of(family: Family) -> Family:
    return Family(
        family.name,
        family.kind,
        family.help,
        family.unit,
        aggregate=family.aggregate,
        bounds=family.bounds,
        series_limit=family.series_limit,
    )
