"""Counters: what they take, what they refuse, and what they report."""

import decimal
import math
import signal
import threading
from fractions import Fraction

import pytest

from observabilipy import Counter, Gauge, Histogram, InvalidValue
from observabilipy.instruments import Registry
from observabilipy.instruments.number import LARGEST
from observabilipy.models import HistogramValue, MetricSample, counter


def make(registry: Registry) -> Counter:
    made = registry.counter("jobs_total", "Jobs done.", ())
    assert isinstance(made, Counter)
    return made


def reported(registry: Registry, name: str = "jobs_total") -> list[MetricSample]:
    collection = registry.collect(1000.0)
    collection.confirm()
    return [sample for sample in collection.samples if sample.name == name]


def test_a_counter_reports_zero_before_it_counts_so_that_its_series_exists() -> None:
    registry = Registry()
    make(registry)

    assert reported(registry) == [counter("jobs_total", 0, timestamp=1000.0)]


def test_a_forked_child_reports_zero_too_where_its_parent_counted_nothing() -> None:
    registry = Registry()
    registry.counter("errors_total", "Errors.", ())
    make(registry).inc(3)
    registry.begin_anew()

    assert registry.collect(1000.0).samples == [counter("errors_total", 0, timestamp=1000.0)]


def test_a_counter_reports_the_increment_since_the_last_confirmed_report() -> None:
    registry = Registry()
    jobs = make(registry)
    jobs.inc()
    jobs.inc(4)
    first = reported(registry)
    jobs.inc(2)

    assert (first, reported(registry), reported(registry)) == (
        [counter("jobs_total", 5, timestamp=1000.0)],
        [counter("jobs_total", 2, timestamp=1000.0)],
        [],
    )


def test_an_unconfirmed_report_is_reported_again() -> None:
    registry = Registry()
    make(registry).inc(3)
    registry.collect(1000.0)

    assert reported(registry) == [counter("jobs_total", 3, timestamp=1000.0)]


def test_foreign_numbers_are_converted_before_they_are_added() -> None:
    registry = Registry()
    jobs = make(registry)
    jobs.inc(decimal.Decimal("1.5"))  # type: ignore[arg-type]  # on purpose
    jobs.inc(Fraction(1, 2))  # type: ignore[arg-type]  # on purpose
    jobs.inc(True)

    assert reported(registry) == [counter("jobs_total", 3, timestamp=1000.0)]


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (-1, "negative"),
        (-0.5, "negative"),
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        ("3", "not_a_number"),
        (None, "not_a_number"),
        (object(), "not_a_number"),
        (10**400, "not_finite"),
    ],
)
def test_a_refused_amount_is_counted_and_changes_nothing(amount: float, reason: str) -> None:
    registry = Registry()
    jobs = make(registry)
    jobs.inc(amount)

    assert registry.collect(1000.0).samples == [
        counter("jobs_total", 0, timestamp=1000.0),
        counter("observabilipy_rejected_total", labels={"reason": reason}, timestamp=1000.0),
    ]


def test_finite_amounts_that_add_up_to_infinity_are_refused_and_the_counter_goes_on() -> None:
    registry = Registry()
    jobs = make(registry)
    reported(registry)
    jobs.inc(1e308)
    jobs.inc(1e308)
    after_overflow = reported(registry)
    jobs.inc()

    assert (after_overflow, reported(registry)) == ([], [counter("jobs_total", 1, timestamp=1000.0)])


def test_a_float_on_top_of_integers_beyond_all_floats_is_refused() -> None:
    registry = Registry()
    jobs = make(registry)
    jobs.inc(int(LARGEST))
    jobs.inc(int(LARGEST))
    jobs.inc(0.5)

    assert [s.name for s in registry.collect(1.0).samples] == ["observabilipy_rejected_total"]


def test_strict_raises_what_is_refused() -> None:
    jobs = make(Registry(strict=True))

    with pytest.raises(
        InvalidValue, match=r"jobs_total\.inc\(\) takes a finite number of 0 or more, got -1: use a gauge"
    ):
        jobs.inc(-1)


def test_integers_stay_exact_beyond_what_floats_can_hold() -> None:
    registry = Registry()
    jobs = make(registry)
    jobs.inc(2**60)
    jobs.inc()

    assert reported(registry) == [counter("jobs_total", 2**60 + 1, timestamp=1000.0)]


def test_eight_threads_lose_no_increment() -> None:
    registry = Registry()
    jobs = make(registry)

    def work() -> None:
        for _ in range(20_000):
            jobs.inc()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert reported(registry) == [counter("jobs_total", 160_000, timestamp=1000.0)]


def test_a_signal_handler_may_count_while_the_main_thread_counts() -> None:
    registry = Registry()
    jobs = make(registry)
    before = signal.signal(signal.SIGALRM, lambda *_: jobs.inc(1_000_000))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        counted = 0
        while registry.collect(0.0).samples[0].value < 5_000_000:  # type: ignore[operator]  # unconfirmed: there is a report
            jobs.inc()
            counted += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    value = reported(registry)[0].value

    assert isinstance(value, int)
    assert value % 1_000_000 == counted % 1_000_000


def test_a_strict_registry_goes_on_after_sums_beyond_all_floats() -> None:
    registry = Registry(strict=True)
    jobs = make(registry)
    active = registry.gauge("active", "Active.", (), aggregate="sum")
    took = registry.histogram("took", "Took.", (), buckets=(1,))
    for _ in range(2):
        jobs.inc(1e308)
        active.inc(10**308)
        took.observe(1e308)
    registry.collect(1.0)
    jobs.inc(2)
    active.inc(2)
    took.observe(2)
    collection = registry.collect(1.0)
    values = {sample.name: sample.value for sample in (*collection.samples, *collection.gauges)}

    assert (values["jobs_total"], values["active"], values["took"]) == (2, 2, HistogramValue((1,), (0, 1), 2))


class _BrokenInt(int):
    def _broken(self, *_: object) -> int:
        raise RuntimeError

    __add__ = __radd__ = __int__ = __index__ = _broken
    __repr__ = __lt__ = __le__ = __gt__ = __ge__ = _broken  # type: ignore[assignment]  # on purpose


class _BrokenFloat(float):
    def _broken(self, *_: object) -> float:
        raise RuntimeError

    __add__ = __radd__ = __sub__ = __float__ = _broken
    __repr__ = __lt__ = __le__ = __gt__ = __ge__ = _broken  # type: ignore[assignment]  # on purpose


@pytest.mark.parametrize("kind", [_BrokenInt, _BrokenFloat])
def test_numbers_of_a_subclass_count_without_its_methods(kind: type[float]) -> None:
    registry = Registry()
    jobs = make(registry)
    active = registry.gauge("active", "Active.", (), aggregate="sum")
    took = registry.histogram("took", "Took.", (), buckets=(1, 5))
    assert isinstance(active, Gauge)
    assert isinstance(took, Histogram)
    jobs.inc(kind(2))
    jobs.inc(kind(-2))
    active.set(kind(2))
    active.inc(kind(1))
    took.observe(kind(2))
    collection = registry.collect(1.0)

    assert {(s.name, *s.labels.values()): s.value for s in (*collection.samples, *collection.gauges)} == {
        ("jobs_total",): 2,
        ("active",): 3,
        ("took",): HistogramValue((1.0, 5.0), (0, 1, 0), 2),
        ("observabilipy_rejected_total", "negative"): 1,
    }
