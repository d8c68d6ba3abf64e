"""Exemplars: an observation as an example of its series."""

import pytest

from observabilipy import Counter, Histogram, InvalidValue, Labelled, Observability
from observabilipy.instruments import Registry
from observabilipy.models import Exemplar, MetricSample

A, B, C = ({"trace_id": letter * 32} for letter in "abc")


@pytest.fixture(params=[False, True], ids=["plain", "sharded"])
def registry(request: pytest.FixtureRequest) -> Registry:
    return Registry(sharded=request.param, clock=lambda: 1000.5)


def jobs_of(registry: Registry) -> Counter:
    made = registry.counter("jobs_total", "Jobs.", ())
    assert isinstance(made, Counter)
    return made


def wait_of(registry: Registry) -> Histogram:
    made = registry.histogram("wait_seconds", "Waiting.", (), buckets=(0.1, 1))
    assert isinstance(made, Histogram)
    return made


def reported(registry: Registry, *, confirmed: bool = True) -> list[MetricSample]:
    collection = registry.collect(2000.0)
    if confirmed:
        collection.confirm()
    return collection.samples


def test_a_counter_reports_the_latest_exemplar_once_with_its_amount_and_its_time(registry: Registry) -> None:
    jobs = jobs_of(registry)
    jobs.inc(exemplar=A)
    jobs.inc(2.5, exemplar=B)
    jobs.inc()
    first = [(sample.value, sample.exemplars) for sample in reported(registry)]
    jobs.inc()

    assert (first, [(sample.value, sample.exemplars) for sample in reported(registry)]) == (
        [(4.5, (Exemplar(B, 2.5, 1000.5),))],
        [(1, ())],
    )


def test_a_histogram_reports_the_latest_exemplar_of_each_bucket_once(registry: Registry) -> None:
    wait = wait_of(registry)
    wait.observe(0.05, exemplar=A)
    wait.observe(0.1, exemplar=B)
    wait.observe(7, exemplar=C)
    first = [sample.exemplars for sample in reported(registry)]
    wait.observe(0.1)

    assert (first, [sample.exemplars for sample in reported(registry)]) == (
        [(Exemplar(B, 0.1, 1000.5), Exemplar(C, 7, 1000.5))],
        [()],
    )


def test_an_exemplar_that_was_not_confirmed_is_reported_again(registry: Registry) -> None:
    jobs_of(registry).inc(exemplar=A)
    wait_of(registry).observe(0.5, exemplar=B)
    first = reported(registry, confirmed=False)

    assert [sample.exemplars for sample in first] == [sample.exemplars for sample in reported(registry)]


@pytest.mark.parametrize(
    "wrong",
    [{"trace_id": "x" * 121}, {"trace-id": "x"}, {"trace_id": 7}, {"trace_id": "\udc80"}, "trace", 7, {1: "a"}],
)
def test_a_refused_exemplar_is_counted_and_the_number_counts_all_the_same(registry: Registry, wrong: object) -> None:
    jobs_of(registry).inc(3, exemplar=wrong)  # type: ignore[arg-type]  # on purpose
    wait_of(registry).observe(0.5, exemplar=wrong)  # type: ignore[arg-type]  # on purpose
    samples = (*reported(registry), *reported(registry))
    jobs, refused, wait = sorted(samples, key=lambda sample: sample.name)

    assert (jobs.value, jobs.exemplars, wait.exemplars, refused.labels, refused.value) == (
        3,
        (),
        (),
        {"reason": "exemplar"},
        2,
    )


def test_an_exemplar_of_what_is_refused_is_refused_with_it(registry: Registry) -> None:
    jobs, wait = jobs_of(registry), wait_of(registry)
    jobs.inc(-1, exemplar=A)
    wait.observe(float("nan"), exemplar=A)

    assert [sample.exemplars for sample in reported(registry)][:2] == [(), ()]


def test_strict_raises_what_is_no_mapping() -> None:
    jobs = jobs_of(Registry(strict=True))

    with pytest.raises(InvalidValue, match="jobs_total takes a mapping of labels as an exemplar, got 7"):
        jobs.inc(exemplar=7)  # type: ignore[arg-type]  # on purpose


def test_a_forked_child_reports_none_of_its_parents_exemplars(registry: Registry) -> None:
    jobs, wait = jobs_of(registry), wait_of(registry)
    jobs.inc(exemplar=A)
    wait.observe(0.5, exemplar=A)
    registry.begin_anew()
    jobs.inc()
    wait.observe(0.5)

    assert [sample.exemplars for sample in reported(registry)] == [(), ()]


async def test_exemplars_are_shown_in_openmetrics_alone() -> None:
    from observabilipy.http import Request

    with Observability("memory://", auth="public", handle_sigterm=False, clock=lambda: 1000.5) as obs:
        wait = obs.histogram("wait_seconds", "Waiting.", labels=("queue",), buckets=(1,))
        assert isinstance(wait, Labelled)
        wait.labels("a").observe(0.5, exemplar={"trace_id": "abc"})
        bodies = []
        for accepted in (b"text/plain", b"application/openmetrics-text"):
            answer = await obs.endpoints.handle(Request("GET", "/metrics", headers=((b"accept", accepted),)))
            bodies.append(b"".join([chunk async for chunk in answer.body]).decode())

    assert ["trace_id" in body for body in bodies] == [False, True]
    assert 'wait_seconds_bucket{queue="a",le="1.0"} 1 # {trace_id="abc"} 0.5 1000.500000\n' in bodies[1]
