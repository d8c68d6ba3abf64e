"""The bridge: what a program already counts with prometheus_client, through our ``/metrics``.

Nothing of prometheus_client is imported: a registry is whatever has ``collect()`` and gives metrics as its does.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Protocol, TypeAlias

from observabilipy.errors import InvalidValue
from observabilipy.models import Exemplar, Family, HistogramValue, MetricKind, Series, SummaryValue

__all__ = ["OWN_NAMES", "Registry", "prometheus_client_families"]

OWN_NAMES = frozenset(
    {
        "process_cpu_seconds",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
        "python_gc_collections",
        "python_gc_objects_collected",
        "python_gc_objects_uncollectable",
        "python_info",
    }
)
"""What prometheus_client reports of one process by default, and ``Observability`` of all workers."""


class _ForeignExemplar(Protocol):
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> float: ...
    @property
    def timestamp(self) -> object: ...


class _ForeignSample(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> float: ...
    @property
    def exemplar(self) -> _ForeignExemplar | None: ...


class _ForeignMetric(Protocol):
    name: str
    documentation: str
    unit: str
    type: str

    @property
    def samples(self) -> Iterable[_ForeignSample]: ...


class Registry(Protocol):
    """What is needed of ``prometheus_client.CollectorRegistry``."""

    def collect(self) -> Iterable[_ForeignMetric]:
        """The metrics as they are now."""
        ...


_Key: TypeAlias = tuple[tuple[str, str], ...]


def prometheus_client_families(
    registry: Registry, *, without: Collection[str] = OWN_NAMES
) -> Callable[[], Iterator[Family]]:
    """A collector for ``obs.add_collector`` that gives what a registry of prometheus_client has.

    Every kind is kept, and so are units, exemplars and creation times. Timestamps of samples are not: the numbers are
    those of the moment. Names that only UTF-8 can spell get underscores, as prometheus_client does by default. What
    does not fit its kind (a histogram without a sum, or with a bucket that counts less than the one below it) is shown
    sample by sample as unknown, under the same names, labels and values.

    The numbers are those of the worker that answers. In prometheus_client's multiprocess mode, give the registry of its
    MultiProcessCollector, which has those of all workers.

    Args:
        registry: a ``CollectorRegistry``.
        without: names of metrics to leave out, counters without ``_total``: by default those that ``Observability``
            reports itself, for all workers. ``()`` to have everything.

    Raises:
        InvalidValue: by the collector, when all other families are given: what could not be read or shown.
    """

    def prometheus_client() -> Iterator[Family]:
        faults = []
        for metric in registry.collect():
            if metric.name not in without:
                try:
                    families = _families(metric)
                except Exception as error:  # noqa: BLE001 - foreign values may raise anything; the other metrics go on
                    faults.append(f"{metric.name}: {error}")
                else:
                    yield from families
        if faults:
            raise InvalidValue(f"metrics of prometheus_client are left out: {'; '.join(faults)}")

    return prometheus_client


class _Misfit(Exception):
    """Samples that are not those of their kind."""


def _families(metric: _ForeignMetric) -> list[Family]:
    rows = _rows(metric)
    kind = MetricKind(metric.type)
    name, unit = _plain(metric.name), metric.unit
    if not name.endswith(f"_{unit}") or kind in {MetricKind.INFO, MetricKind.STATE_SET}:
        unit = ""
    if kind is MetricKind.COUNTER:
        name = f"{name}_total"
    try:
        series = tuple(_series(kind, metric.name, key, rows[key]) for key in rows)
        return [Family(name, kind, metric.documentation, unit, series)]
    except (_Misfit, InvalidValue):
        return _one_by_one(metric)


def _rows(metric: _ForeignMetric) -> dict[_Key, list[_ForeignSample]]:
    """The samples of each series, whose labels are those of its samples but for the bound of a bucket or quantile."""
    bound = {"histogram": "le", "gaugehistogram": "le", "summary": "quantile"}.get(metric.type)
    rows: dict[_Key, list[_ForeignSample]] = {}
    for sample in metric.samples:
        if getattr(sample, "native_histogram", None) is None:  # no format of ours has those
            labels = [(_plain_label(label), str(text)) for label, text in sample.labels.items() if label != bound]
            rows.setdefault(tuple(sorted(labels)), []).append(sample)
    return rows


def _series(kind: MetricKind, name: str, key: _Key, samples: list[_ForeignSample]) -> Series:
    found = {sample.name.removeprefix(name): sample for sample in samples}
    created = found.pop("_created", None)
    value: float | HistogramValue | SummaryValue
    if kind in {MetricKind.HISTOGRAM, MetricKind.GAUGE_HISTOGRAM}:
        value = _histogram(found, [sample for sample in samples if sample.name == f"{name}_bucket"])
    elif kind is MetricKind.SUMMARY:
        value = _summary(found, [sample for sample in samples if sample.name == name])
    elif len(found) == 1 and found.keys() <= {"", "_total", "_info"}:
        value = _number(next(iter(found.values())).value)
    else:
        raise _Misfit
    return Series(
        dict(key),
        value,
        None if created is None else float(created.value),
        tuple(exemplar for sample in samples for exemplar in _exemplars(sample)),
    )


def _histogram(found: Mapping[str, _ForeignSample], buckets: list[_ForeignSample]) -> HistogramValue:
    total = found.get("_sum") or found.get("_gsum")
    bounds = [float(bucket.labels["le"]) for bucket in buckets]
    cumulative = [_whole(bucket.value) for bucket in buckets]
    if total is None or not bounds or bounds[-1] != math.inf:
        raise _Misfit
    counts = [count - below for count, below in zip(cumulative, (0, *cumulative), strict=False)]
    return HistogramValue(tuple(bounds[:-1]), tuple(counts), _number(total.value))


def _summary(found: Mapping[str, _ForeignSample], quantiles: list[_ForeignSample]) -> SummaryValue:
    count, total = found.get("_count"), found.get("_sum")
    if count is None or total is None:
        raise _Misfit
    pairs = ((float(sample.labels["quantile"]), _number(sample.value)) for sample in quantiles)
    return SummaryValue(tuple(pairs), _whole(count.value), _number(total.value))


def _one_by_one(metric: _ForeignMetric) -> list[Family]:
    """Each name that the samples have as a family of its own, so that nothing of them is lost."""
    families: dict[str, list[Series]] = {}
    for sample in metric.samples:
        if getattr(sample, "native_histogram", None) is None and sample.name != f"{metric.name}_created":
            labels = {_plain_label(label): str(text) for label, text in sample.labels.items()}
            families.setdefault(_plain(sample.name), []).append(Series(labels, _number(sample.value)))
    return [
        Family(name, MetricKind.UNKNOWN, metric.documentation, series=tuple(series))
        for name, series in families.items()
    ]


def _exemplars(sample: _ForeignSample) -> Iterator[Exemplar]:
    given = sample.exemplar
    if given is not None:
        moment = given.timestamp
        try:
            # Any: a float, or an object of theirs that has __float__.
            yield Exemplar(given.labels, given.value, None if moment is None else float(moment))  # type: ignore[arg-type]
        except (InvalidValue, TypeError, ValueError):
            return  # an example more or less


def _number(value: float) -> float:
    return value if type(value) is int else float(value)


def _whole(value: float) -> int:
    if not float(value).is_integer():
        raise _Misfit
    return int(value)


@lru_cache  # names are few, and looking at one takes half a microsecond
def _plain(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_:]|^[0-9]", "_", name)


@lru_cache
def _plain_label(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]|^[0-9]", "_", name)
