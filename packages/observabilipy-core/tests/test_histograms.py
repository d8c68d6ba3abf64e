"""Histograms and timers."""

import asyncio
import math

import pytest

from observabilipy import Histogram, HistogramValue
from observabilipy.instruments import Registry
from observabilipy.models import MetricSample, histogram


def make(registry: Registry) -> Histogram:
    made = registry.histogram("wait_seconds", "Time in the queue.", (), unit="seconds", buckets=(0.1, 1))
    assert isinstance(made, Histogram)
    return made


def reported(registry: Registry) -> list[MetricSample]:
    collection = registry.collect(1000.0)
    collection.confirm()
    return [sample for sample in collection.samples if sample.name == "wait_seconds"]


def value(counts: tuple[int, ...], total: float) -> MetricSample:
    return histogram("wait_seconds", HistogramValue((0.1, 1.0), counts, total), timestamp=1000.0)


def test_an_observation_that_equals_a_bound_counts_below_it() -> None:
    registry = Registry()
    wait = make(registry)
    for seconds in (0.1, math.nextafter(0.1, 1), 1, 1.5, -3):
        wait.observe(seconds)

    assert reported(registry) == [value((2, 2, 1), 0.1 + math.nextafter(0.1, 1) + 1 + 1.5 - 3)]


def test_a_histogram_reports_what_was_observed_since_the_last_confirmed_report() -> None:
    registry = Registry()
    wait = make(registry)
    wait.observe(0.5)
    first = reported(registry)
    wait.observe(2)

    assert (first, reported(registry), reported(registry)) == ([value((0, 1, 0), 0.5)], [value((0, 0, 1), 2)], [])


def test_a_forked_child_reports_an_empty_histogram_where_its_parent_observed_nothing() -> None:
    registry = Registry()
    make(registry)
    registry.begin_anew()

    assert (registry.has_news(), reported(registry)) == (False, [value((0, 0, 0), 0)])


def test_a_forked_child_leaves_what_its_parent_observed_to_the_parent() -> None:
    registry = Registry()
    make(registry).observe(0.5)
    registry.begin_anew()

    assert reported(registry) == []


@pytest.mark.parametrize("hostile", [math.nan, math.inf, -math.inf, "1", None, object()])
def test_what_is_not_finite_is_refused_and_poisons_nothing(hostile: float) -> None:
    registry = Registry()
    wait = make(registry)
    wait.observe(hostile)
    wait.observe(0.5)

    assert reported(registry) == [value((0, 1, 0), 0.5)]


def test_observations_that_add_up_to_infinity_are_refused_and_the_histogram_goes_on() -> None:
    registry = Registry()
    wait = make(registry)
    wait.observe(1e308)
    wait.observe(1e308)
    reported(registry)
    wait.observe(0.5)

    assert reported(registry) == [value((0, 1, 0), 0.5)]


async def test_time_measures_blocks_functions_and_coroutines_also_when_they_raise() -> None:
    registry = Registry()
    wait = make(registry)

    @wait.time()
    def plain(text: str) -> str:
        return text

    @wait.time()
    async def awaited(text: str) -> str:
        await asyncio.sleep(0)
        return text

    with wait.time():
        results = plain("a"), await awaited("b")
    with pytest.raises(RuntimeError), wait.time():
        raise RuntimeError
    counted = reported(registry)[0].value

    assert isinstance(counted, HistogramValue)
    assert (results, plain.__name__, counted.count) == (("a", "b"), "plain", 4)
