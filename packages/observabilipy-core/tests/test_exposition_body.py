"""Whole bodies: chunks, bare samples, clashing names, the end mark."""

from collections.abc import AsyncIterator

import pytest

from observabilipy.encoding.exposition import Format, encode_family, encode_metrics
from observabilipy.errors import InvalidValue
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    MetricKind,
    MetricSample,
    Series,
    counter,
    gauge,
    histogram,
)


async def families_of(*families: Family) -> AsyncIterator[Family]:
    for family in families:
        yield family


async def samples_of(*samples: MetricSample) -> AsyncIterator[MetricSample]:
    for sample in samples:
        yield sample


def named(name: str, kind: MetricKind = MetricKind.GAUGE) -> Family:
    return Family(name, kind, series=(Series({}, 1),))


async def body_of(*families: Family, wire: Format = "prometheus") -> tuple[bytes, list[str]]:
    clashes: list[str] = []
    chunks = [
        chunk async for chunk in encode_metrics(families_of(*families), wire, created=True, on_clash=clashes.append)
    ]
    return b"".join(chunks), clashes


async def test_prometheus_text_has_no_end_mark() -> None:
    assert await body_of(named("a"), named("b")) == (b"# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n", [])


async def test_openmetrics_ends_in_the_end_mark() -> None:
    assert await body_of(named("a"), wire="openmetrics") == (b"# TYPE a gauge\na 1\n# EOF\n", [])


async def test_without_families_only_openmetrics_says_anything() -> None:
    assert [await body_of(), await body_of(wire="openmetrics")] == [(b"", []), (b"# EOF\n", [])]


async def test_a_large_family_comes_in_several_chunks() -> None:
    rows = tuple(Series({"row": str(number)}, number) for number in range(6_000))
    family = Family("a", MetricKind.GAUGE, "A.", series=rows)

    chunks = [chunk async for chunk in encode_metrics(families_of(family, named("b")))]

    assert (b"".join(chunks), sorted({len(chunk) // 32_768 for chunk in chunks})) == (
        encode_family(family) + encode_family(named("b")),
        [0, 1],
    )


async def test_bare_samples_are_added_up() -> None:
    samples = samples_of(
        counter("orders_total", 2, labels={"a": "1", "b": "2"}, timestamp=5),
        gauge("depth", 7),
        histogram("wait", HistogramValue((1, 2), (1, 0, 0), 1)),
        counter("orders_total", 3, labels={"b": "2", "a": "1"}, timestamp=4),
        gauge("depth", 4),
        histogram("wait", HistogramValue((1.5,), (1, 1), 9)),
    )

    body = b"".join([chunk async for chunk in encode_metrics(samples)])

    assert body == (
        b"# HELP depth depth, reported without a definition.\n"
        b"# TYPE depth gauge\n"
        b"depth 4\n"
        b"# HELP orders_total orders_total, reported without a definition.\n"
        b"# TYPE orders_total counter\n"
        b'orders_total{a="1",b="2"} 5\n'
        b"# HELP wait wait, reported without a definition.\n"
        b"# TYPE wait histogram\n"
        b'wait_bucket{le="1.0"} 1\n'
        b'wait_bucket{le="2.0"} 2\n'
        b'wait_bucket{le="+Inf"} 3\n'
        b"wait_count 3\n"
        b"wait_sum 10\n"
    )


async def test_created_of_bare_samples_is_the_time_of_the_first() -> None:
    samples = samples_of(counter("a_total", timestamp=5), counter("a_total", timestamp=6))

    body = b"".join([chunk async for chunk in encode_metrics(samples, "openmetrics", created=True)])

    assert body.splitlines()[2:] == [b"a_total 2", b"a_created 5", b"# EOF"]


async def test_bare_samples_keep_their_exemplars() -> None:
    sample = MetricSample("a_total", 1, {}, MetricKind.COUNTER, 5, exemplars=(Exemplar({"trace_id": "x"}, 1),))

    body = b"".join([chunk async for chunk in encode_metrics(samples_of(sample, counter("a_total")), "openmetrics")])

    assert body.splitlines()[2:] == [b'a_total 2 # {trace_id="x"} 1', b"# EOF"]


async def test_of_samples_of_two_kinds_the_first_kind_is_written() -> None:
    clashes: list[str] = []
    samples = samples_of(gauge("a", 1), histogram("a", HistogramValue((1,), (1, 0), 1)))

    body = b"".join([chunk async for chunk in encode_metrics(samples, on_clash=clashes.append)])

    assert (body.splitlines()[1:], len(clashes)) == ([b"# TYPE a gauge", b"a 1"], 1)


async def test_a_clashing_family_is_left_out_and_reported() -> None:
    value = HistogramValue((1,), (1, 0), 1)
    wait = Family("wait", MetricKind.HISTOGRAM, series=(Series({}, value),))

    body, clashes = await body_of(wait, named("wait_count"), named("z"))

    assert (body.count(b"wait_count"), body.endswith(b"# TYPE z gauge\nz 1\n"), clashes) == (
        1,
        True,
        [
            "the name 'wait_count' may stand in one family only, got histogram 'wait', then gauge 'wait_count':"
            " the second is left out of prometheus, rename one of them"
        ],
    )


async def test_a_clash_needs_no_listener() -> None:
    chunks = [chunk async for chunk in encode_metrics(families_of(named("a"), named("a")))]

    assert b"".join(chunks) == b"# TYPE a gauge\na 1\n"


async def test_a_gauge_and_a_counter_of_one_base_clash_in_openmetrics_only() -> None:
    families = (named("orders"), named("orders_total", MetricKind.COUNTER))

    _, in_prometheus = await body_of(*families)
    _, in_openmetrics = await body_of(*families, wire="openmetrics")

    assert (len(in_prometheus), len(in_openmetrics)) == (0, 1)


async def test_a_family_without_series_claims_no_name() -> None:
    empty = Family("a", MetricKind.COUNTER, "Nothing yet.")

    assert await body_of(empty, named("a")) == (b"# TYPE a gauge\na 1\n", [])


async def test_another_format_is_refused_before_anything_is_read() -> None:
    with pytest.raises(InvalidValue, match=r"^format must be one of prometheus, openmetrics, got 'html'$"):
        await anext(encode_metrics(families_of(), "html"))  # type: ignore[arg-type] # the refusal is the test
