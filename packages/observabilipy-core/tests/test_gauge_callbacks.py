"""Gauges whose value is asked for."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from observabilipy import ConfigurationError, Gauge, Labelled, Observability
from observabilipy.instruments import Registry
from observabilipy.models import Aggregate, MetricSample, gauge


def make(registry: Registry, aggregate: Aggregate = "last") -> Gauge:
    made = registry.gauge("queue_length", "Jobs that wait.", (), aggregate=aggregate)
    assert isinstance(made, Gauge)
    return made


def reported(registry: Registry, now: float) -> list[MetricSample]:
    collection = registry.collect(now)
    collection.confirm()
    return collection.gauges


@pytest.mark.parametrize("sharded", [False, True])
def test_a_callback_is_asked_once_a_second_and_its_value_reported_when_it_changed(sharded: bool) -> None:
    registry = Registry(sharded=sharded)
    answers = iter([3, 3, 4])
    make(registry).set_function(answers.__next__)
    reports = [reported(registry, now) for now in (100.0, 100.9, 101.0, 102.0)]

    assert reports == [
        [gauge("queue_length", 3, timestamp=100.0)],
        [],
        [],
        [gauge("queue_length", 4, timestamp=102.0)],
    ]


def test_a_clock_that_goes_back_stops_no_callback() -> None:
    registry = Registry()
    answers = iter([3, 4])
    make(registry).set_function(answers.__next__)
    reported(registry, 100.0)

    assert reported(registry, 50.0) == [gauge("queue_length", 4, timestamp=50.0)]


def _fail() -> float:
    raise RuntimeError


@pytest.mark.parametrize(
    ("broken", "counted"),
    [
        (_fail, ("observabilipy_failures_total", {"task": "asking for queue_length"})),
        (lambda: "7", ("observabilipy_rejected_total", {"reason": "not_a_number"})),
    ],
)
def test_what_a_callback_raises_is_counted_and_leaves_the_value(
    broken: Callable[[], float], counted: tuple[str, dict[str, str]]
) -> None:
    registry = Registry()
    queue = make(registry, "sum")
    queue.set_function(lambda: 5)
    reported(registry, 100.0)
    queue.set_function(broken)
    silent = reported(registry, 101.0)
    registry.report_gauges_again()
    collection = registry.collect(101.5)

    assert (silent, collection.gauges, [(s.name, s.labels) for s in collection.samples]) == (
        [],
        [gauge("queue_length", 5, timestamp=101.5)],
        [counted],
    )


def test_what_cannot_be_called_raises_and_the_error_names_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match=r"got 7: to set a value write \.set\(\.\.\.\)"):
        make(Registry()).set_function(7)  # type: ignore[arg-type]  # on purpose


def test_each_series_has_a_callback_of_its_own() -> None:
    registry = Registry()
    queue = registry.gauge("queue_length", "Jobs that wait.", ("name",))
    assert isinstance(queue, Labelled)
    for name, value in (("a", 1.5), ("b", 2)):
        queue.labels(name).set_function(lambda value=value: value)  # type: ignore[misc]

    assert [(sample.labels["name"], sample.value) for sample in reported(registry, 1.0)] == [("a", 1.5), ("b", 2)]


async def test_callbacks_run_in_the_runtimes_thread_without_any_other_record() -> None:
    threads: list[str] = []
    asked = threading.Event()

    def ask() -> float:
        threads.append(threading.current_thread().name)
        asked.set()
        return 7

    with Observability("memory://", flush_interval=0.01, handle_sigterm=False) as obs:
        obs.gauge("queue_length", "Jobs that wait.").set_function(ask)
        assert asked.wait(30)
        await obs.aflush()
        values = [series.value async for family in obs.storage.totals(["queue_length"]) for series in family.series]

    assert (values, threads[0]) == ([7], "observabilipy")


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit])
def test_nothing_that_a_callback_raises_ends_the_thread_that_commits(error: type[BaseException]) -> None:
    def broken() -> float:
        raise error

    with Observability(collectors=(), handle_sigterm=False, flush_interval=3600) as obs:
        obs.gauge("queue_length", "Jobs that wait.").set_function(broken)
        obs.runtime.start()
        first = obs.flush()
        obs.counter("jobs_total", "Jobs.").inc()

        assert (first, obs.flush()) == (True, True)
