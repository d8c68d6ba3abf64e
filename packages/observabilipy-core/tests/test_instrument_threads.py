"""Instruments under threads, in signal handlers, in callbacks of the garbage collector, and through forks.

Both kinds of series are tried on every build: those for builds without a GIL have to be right with one, too.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction

import pytest

from observabilipy import Counter, Gauge, Histogram
from observabilipy.instruments import Registry
from observabilipy.models import HistogramValue

THREADS = 8
CALLS = 5_000


@pytest.fixture(params=[False, True], ids=["plain", "sharded"])
def registry(request: pytest.FixtureRequest) -> Registry:
    if not request.param and not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip("plain series need a GIL")
    return Registry(sharded=request.param)


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def counter_of(registry: Registry) -> Counter:
    made = registry.counter("jobs_total", "Jobs.", ())
    assert isinstance(made, Counter)
    return made


def gauge_of(registry: Registry) -> Gauge:
    made = registry.gauge("active", "Active.", (), aggregate="sum")
    assert isinstance(made, Gauge)
    return made


def histogram_of(registry: Registry) -> Histogram:
    made = registry.histogram("took", "Took.", (), buckets=(1, 2, 3))
    assert isinstance(made, Histogram)
    return made


class Totals:
    """What a storage would have: increments added up, gauges as they were set last."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.counted: float = 0
        self.set: float = 0
        self.observed = HistogramValue((1, 2, 3), (0, 0, 0, 0), 0)

    def take(self) -> None:
        """Take one report."""
        collection = self._registry.collect(1.0)
        collection.confirm()
        for sample in (*collection.samples, *collection.gauges):
            if isinstance(sample.value, HistogramValue):
                self.observed += sample.value
            elif sample.name == "active":
                self.set = sample.value
            else:
                self.counted += sample.value


def together(work: Callable[[], None], meanwhile: Callable[[], None]) -> None:
    """Do this in many threads, and something else until they have finished."""
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        meanwhile()
    for thread in threads:
        thread.join()
    meanwhile()


def test_reports_of_what_eight_threads_record_add_up_exactly(registry: Registry) -> None:
    jobs, active, took = counter_of(registry), gauge_of(registry), histogram_of(registry)
    totals = Totals(registry)

    def work() -> None:
        for number in range(CALLS):
            jobs.inc()
            jobs.inc(0.5)
            active.inc(2)
            active.dec()
            took.observe(number % 4 + 0.5)

    together(work, totals.take)
    each = THREADS * CALLS // 4

    assert (totals.counted, totals.set, totals.observed) == (
        THREADS * CALLS * 1.5,
        THREADS * CALLS,
        HistogramValue((1, 2, 3), (each,) * 4, THREADS * CALLS * 2),
    )


def test_numbers_of_foreign_types_are_added_exactly_too(registry: Registry) -> None:
    class Foreign:
        """Like NumPy's: it would take part in the addition, and other threads would run meanwhile."""

        def __float__(self) -> float:
            return 1.0

        def __radd__(self, other: object) -> object:
            raise AssertionError("nothing foreign may run in the middle of an addition")

        __iadd__ = __add__ = __radd__

    jobs, active, took = counter_of(registry), gauge_of(registry), histogram_of(registry)
    totals = Totals(registry)
    numbers: list[object] = [Decimal(1), Fraction(1), Foreign(), True]

    def work() -> None:
        for _ in range(CALLS // 10):
            for number in numbers:
                jobs.inc(number)  # type: ignore[arg-type]  # on purpose
                active.inc(number)  # type: ignore[arg-type]  # on purpose
                took.observe(number)  # type: ignore[arg-type]  # on purpose

    together(work, totals.take)
    expected = THREADS * (CALLS // 10) * len(numbers)

    assert (totals.counted, totals.set, totals.observed) == (
        expected,
        expected,
        HistogramValue((1, 2, 3), (expected, 0, 0, 0), expected),
    )


def test_no_report_of_a_histogram_is_torn(registry: Registry) -> None:
    took = histogram_of(registry)
    reports: list[HistogramValue] = []

    def work() -> None:
        for _ in range(CALLS):
            took.observe(0.5)

    def look() -> None:
        collection = registry.collect(1.0)
        collection.confirm()
        reports.extend(sample.value for sample in collection.samples if isinstance(sample.value, HistogramValue))

    together(work, look)

    assert [value for value in reports if value.sum != 0.5 * value.count] == []
    assert sum(value.count for value in reports) == THREADS * CALLS


def test_threads_that_make_the_same_series_share_it(registry: Registry) -> None:
    jobs = registry.counter("jobs_total", "Jobs.", ("number",))

    def work() -> None:
        for number in range(500):
            jobs.labels(str(number)).inc()  # type: ignore[union-attr]  # with labels

    together(work, lambda: None)

    assert {sample.value for sample in registry.collect(1.0).samples} == {THREADS}


def test_a_signal_handler_may_record_in_the_middle_of_any_of_it(registry: Registry) -> None:
    jobs, active, took = counter_of(registry), gauge_of(registry), histogram_of(registry)
    handled = 0

    def handle(*_: object) -> None:
        nonlocal handled
        handled += 1
        jobs.inc(1_000_000)
        active.inc(1_000_000)
        took.observe(0.5)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    recorded = 0
    try:
        while handled < 200:
            jobs.inc()
            active.inc()
            took.observe(0.5)
            recorded += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    totals = Totals(registry)
    totals.take()
    expected = recorded + handled * 1_000_000

    assert (totals.counted, totals.set, totals.observed.counts) == (expected, expected, (recorded + handled, 0, 0, 0))


def test_a_callback_of_the_garbage_collector_may_record_and_make_series(registry: Registry) -> None:
    found = registry.counter("collections_total", "Collections.", ("generation", "number"), series_limit=10_000)
    ours = registry.histogram("took", "Took.", ("number",), buckets=(1,), series_limit=10_000)
    collections = 0

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal collections
        collections += 1
        found.labels(info["generation"], collections % 50).inc()  # type: ignore[union-attr]  # with labels
        ours.labels(collections % 50).observe(0.5)  # type: ignore[union-attr]  # with labels

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(20, 2, 2)
    try:
        for number in range(100):
            found.labels(number, [number]).inc()  # type: ignore[union-attr]  # with labels
            registry.collect(1.0)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collected)
    values = [sample.value for sample in registry.collect(1.0).samples if sample.name == "collections_total"]

    assert sum(value for value in values if isinstance(value, int)) == collections + 100


def test_a_snapshot_is_whole_though_a_collection_of_garbage_observes_while_it_is_taken(registry: Registry) -> None:
    took = histogram_of(registry)

    def collected(phase: str, _: object) -> None:
        if phase == "stop":
            took.observe(1.0)

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(1, 1, 1)
    kept: list[list[int]] = []  # so that no list is ready to be used again
    torn = 0
    try:
        for _ in range(50_000):
            kept.append([])
            counts, total = took.snapshot()
            torn += sum(counts) != total
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collected)

    assert torn == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forty_children_that_are_forked_while_threads_record_report_their_own_alone(registry: Registry) -> None:
    jobs, active, took = counter_of(registry), gauge_of(registry), histogram_of(registry)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            jobs.inc()
            active.inc()
            took.observe(0.5)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    statuses = []
    try:
        for _ in range(40):
            child = os.fork()
            if child == 0:
                signal.alarm(30)  # a child that hangs is killed, and its status tells
                registry.begin_anew()
                jobs.inc(3)
                active.inc()
                took.observe(2.5)
                totals = Totals(registry)
                totals.take()
                right = totals.counted, totals.set, totals.observed.counts, totals.observed.sum
                os._exit(0 if right == (3, 1, (0, 0, 1, 0), 2.5) else 1)
            statuses.append(os.waitpid(child, 0)[1])
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert statuses == [0] * 40
