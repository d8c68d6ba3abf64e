"""Exposed: families read back from ``/metrics`` of a service, in the text format that our own endpoints write.

Source of the format: Prometheus text exposition 0.0.4 ("Exposition formats", prometheus.io).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from observabilipy.commands.source import Source
from observabilipy.errors import InvalidValue, ObservabilityError
from observabilipy.models import Family, HistogramValue, MetricKind, Series, SummaryValue

__all__ = ["exposed_families"]

_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)(?: .*)?')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_KINDS = {"counter": MetricKind.COUNTER, "gauge": MetricKind.GAUGE, "histogram": MetricKind.HISTOGRAM}
_SUFFIXES = ("_bucket", "_sum", "_count")

_Labels = tuple[tuple[str, str], ...]


def exposed_families(source: Source) -> list[Family]:
    """What a service shows, each family with its series.

    Raises:
        ObservabilityError: what it answers is not in the format.
    """
    lines = (line.decode(errors="replace").rstrip("\n") for line in source.get("/metrics").lines())
    try:
        return list(_families(lines))
    except (InvalidValue, LookupError, ValueError) as error:
        raise ObservabilityError(f"its /metrics cannot be read: {error}: name another address") from None


def _families(lines: Iterable[str]) -> Iterator[Family]:
    name, kind, samples = "", "untyped", list[tuple[str, _Labels, float]]()
    for line in lines:
        if line.startswith("# TYPE "):
            if samples:
                yield _family(name, kind, samples)
            _, _, name, kind = line.split(" ", 3)
            samples = []
        elif not line.startswith("#"):
            match = _SAMPLE.fullmatch(line)
            if match is None:
                raise ValueError(f"no sample: {line[:80]!r}")
            labels = tuple((label, _unescaped(value)) for label, value in _LABEL.findall(match[2] or ""))
            samples.append((match[1], labels, _number(match[3])))
    if samples:
        yield _family(name, kind, samples)


def _family(name: str, kind: str, samples: list[tuple[str, _Labels, float]]) -> Family:
    if kind not in {"histogram", "summary"}:
        rows = [Series(dict(labels), value) for _, labels, value in samples]
        return Family(name, _KINDS.get(kind, MetricKind.UNKNOWN), series=rows)
    special = "le" if kind == "histogram" else "quantile"
    parts: dict[_Labels, dict[str, float]] = {}
    for sample, labels, value in samples:
        own = tuple(pair for pair in labels if pair[0] != special)
        part = dict(labels).get(special) or sample.removeprefix(name)
        parts.setdefault(own, {})[part] = value
    build = _histogram if kind == "histogram" else _summary
    rows = [Series(dict(labels), build(part)) for labels, part in parts.items()]
    return Family(name, MetricKind.HISTOGRAM if kind == "histogram" else MetricKind.SUMMARY, series=rows)


def _histogram(part: Mapping[str, float]) -> HistogramValue:
    buckets = [(float(bound), int(count)) for bound, count in part.items() if bound not in _SUFFIXES]
    counts = [0, *(count for _, count in buckets)]
    bounds = tuple(bound for bound, _ in buckets if bound != math.inf)
    return HistogramValue(
        bounds, tuple(after - before for before, after in pairwise(counts)), part.get("_sum", math.nan)
    )


def _summary(part: Mapping[str, float]) -> SummaryValue:
    quantiles = tuple((float(quantile), value) for quantile, value in part.items() if quantile not in _SUFFIXES)
    return SummaryValue(quantiles, int(part.get("_count", 0)), part.get("_sum", math.nan))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _number(text: str) -> float:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() else float(text)
