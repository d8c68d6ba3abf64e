"""Gauges: what they take, what they refuse, and what they report."""

import math

import pytest

from observabilipy import ConfigurationError, Gauge
from observabilipy.instruments import Registry
from observabilipy.models import Aggregate, MetricSample, gauge


def make(registry: Registry, aggregate: Aggregate = "last") -> Gauge:
    made = registry.gauge("queue_length", "Jobs that wait.", (), aggregate=aggregate)
    assert isinstance(made, Gauge)
    return made


def reported(registry: Registry) -> list[MetricSample]:
    collection = registry.collect(1000.0)
    collection.confirm()
    return collection.gauges


def test_a_gauge_that_was_never_set_reports_nothing_because_another_worker_may_have_set_it() -> None:
    registry = Registry()
    make(registry)

    assert reported(registry) == []


def test_setting_the_same_value_again_is_reported_because_another_worker_may_have_set_another() -> None:
    registry = Registry()
    queue = make(registry)
    queue.set(5)
    first = reported(registry)
    queue.set(5)

    assert (first, reported(registry), reported(registry)) == (
        [gauge("queue_length", 5, timestamp=1000.0)],
        [gauge("queue_length", 5, timestamp=1000.0)],
        [],
    )


def test_a_gauge_may_be_nan_or_infinite() -> None:
    registry = Registry()
    queue = make(registry)
    queue.set(math.inf)
    infinite = reported(registry)[0].value
    queue.set(math.nan)
    undefined = reported(registry)[0].value

    assert (infinite, str(undefined)) == (math.inf, "nan")


@pytest.mark.parametrize("value", ["5", None, object()])
def test_what_is_no_number_is_refused_and_counted(value: float) -> None:
    registry = Registry()
    make(registry).set(value)
    collection = registry.collect(1000.0)

    assert (collection.gauges, [(s.name, s.labels, s.value) for s in collection.samples]) == (
        [],
        [("observabilipy_rejected_total", {"reason": "not_a_number"}, 1)],
    )


def test_a_summed_gauge_goes_up_and_down() -> None:
    registry = Registry()
    queue = make(registry, "sum")
    queue.inc()
    queue.inc(5)
    queue.dec(2)

    assert reported(registry) == [gauge("queue_length", 4, timestamp=1000.0)]


def test_track_inprogress_counts_down_when_the_body_raises() -> None:
    registry = Registry()
    queue = make(registry, "sum")
    during = []

    @queue.track_inprogress()
    def fail() -> None:
        during.extend(reported(registry))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert (during, reported(registry)) == (
        [gauge("queue_length", 1, timestamp=1000.0)],
        [gauge("queue_length", 0, timestamp=1000.0)],
    )


@pytest.mark.parametrize("method", ["inc", "dec", "track_inprogress"])
def test_steps_need_the_aggregate_sum_and_the_error_says_how_to_get_it(method: str) -> None:
    queue = make(Registry())

    with pytest.raises(ConfigurationError) as caught, getattr(queue, method)():
        pass
    assert str(caught.value) == (
        f'queue_length.{method}() needs aggregate "sum", got "last":'
        " define it with obs.gauge('queue_length', ..., aggregate=\"sum\")"
    )


def test_a_worker_that_had_expired_reports_its_gauges_again_but_not_those_that_outlived_it() -> None:
    registry = Registry()
    summed, last = make(registry, "sum"), registry.gauge("temperature", "Degrees.", ())
    assert isinstance(last, Gauge)
    summed.set(3)
    last.set(20)
    reported(registry)
    registry.report_gauges_again()

    assert reported(registry) == [gauge("queue_length", 3, timestamp=1000.0)]
