"""Properties: instruments against the plainest model of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy import Counter, Gauge, Histogram
from observabilipy.instruments import Registry
from observabilipy.models import HistogramValue

pytestmark = pytest.mark.properties

numbers = st.one_of(st.integers(-(2**60), 2**60), st.floats(), st.booleans(), st.fractions(), st.decimals(), st.none())
bounds = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20, unique=True).map(sorted)


def _plain(value: object) -> float | None:
    try:
        number = int(value) if isinstance(value, int) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@given(bounds, st.lists(st.tuples(numbers, st.booleans())), st.booleans())
def test_reports_of_a_histogram_add_up_to_what_was_observed(
    upper: list[float], observations: list[tuple[object, bool]], sharded: bool
) -> None:
    registry = Registry(sharded=sharded)
    took = registry.histogram("took", "Took.", (), buckets=upper)
    assert isinstance(took, Histogram)
    counts = [0] * (len(upper) + 1)
    reported = [0] * (len(upper) + 1)
    total, sums = [], []

    def report() -> None:
        collection = registry.collect(1.0)
        collection.confirm()
        for sample in collection.samples:
            if isinstance(sample.value, HistogramValue):
                reported[:] = [old + new for old, new in zip(reported, sample.value.counts, strict=True)]
                sums.append(sample.value.sum)

    for value, is_reported in observations:
        took.observe(value)  # type: ignore[arg-type]  # on purpose
        number = _plain(value)
        if number is not None:
            counts[next((place for place, bound in enumerate(upper) if number <= bound), len(upper))] += 1
            total.append(float(number))
        if is_reported:
            report()
    report()
    largest = sum(map(abs, total))

    if math.isfinite(largest):
        assert reported == counts
        assert math.isclose(math.fsum(sums), math.fsum(total), rel_tol=1e-9, abs_tol=max(1e-9, largest * 1e-9))


@given(st.lists(st.tuples(st.integers(-5, 2**60), st.booleans())), st.booleans())
def test_reports_of_a_counter_add_up_to_what_was_counted(amounts: list[tuple[int, bool]], sharded: bool) -> None:
    registry = Registry(sharded=sharded)
    jobs = registry.counter("jobs_total", "Jobs.", ())
    assert isinstance(jobs, Counter)
    reported: list[object] = []
    for amount, is_confirmed in amounts:
        jobs.inc(amount)
        collection = registry.collect(1.0)
        if is_confirmed:
            collection.confirm()
            reported += [sample.value for sample in collection.samples if sample.name == "jobs_total"]
    reported += [sample.value for sample in registry.collect(1.0).samples if sample.name == "jobs_total"]

    assert sum(value for value in reported if isinstance(value, int)) == sum(
        amount for amount, _ in amounts if amount >= 0
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "inc", "dec", "confirm", "lose", "forget"]), st.integers(-(10**6), 10**6)),
    ),
    st.booleans(),
)
def test_a_storage_that_forgets_and_loses_ends_with_the_value_of_the_gauge(
    steps: list[tuple[str, int]], sharded: bool
) -> None:
    registry = Registry(sharded=sharded)
    active = registry.gauge("active", "Active.", (), aggregate="sum")
    assert isinstance(active, Gauge)
    value, stored = None, None
    for step, number in [*steps, ("confirm", 0)]:
        if step == "confirm":
            collection = registry.collect(1.0)
            collection.confirm()
            stored = collection.gauges[0].value if collection.gauges else stored
        elif step == "lose":
            registry.collect(1.0)
        elif step == "forget":
            registry.report_gauges_again()
            stored = None
        else:
            getattr(active, step)(number)
            value = {"set": number, "inc": (value or 0) + number, "dec": (value or 0) - number}[step]

    assert stored == value
