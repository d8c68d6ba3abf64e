"""The rules for names of metrics and labels, those of Prometheus and OpenMetrics.

Sources: Prometheus "Data model"; OpenMetrics 1.0, "Metric", "Suffixes" and "Unit".
"""

import re
from collections.abc import Iterable, Mapping

from observabilipy.errors import InvalidValue
from observabilipy.models.kind import MetricKind

__all__ = [
    "ADDED_SUFFIXES",
    "OVERFLOW",
    "check_label_names",
    "check_labels",
    "check_metric_name",
    "check_reported_name",
    "check_unit",
    "claimed_names",
    "family_base",
]

OVERFLOW = "__overflow__"
"""The value of every label of the series that takes what is over a family's series limit."""

ADDED_SUFFIXES: Mapping[MetricKind, tuple[str, ...]] = {
    MetricKind.COUNTER: ("_total", "_created"),
    MetricKind.HISTOGRAM: ("_bucket", "_count", "_sum", "_created"),
    MetricKind.GAUGE_HISTOGRAM: ("_bucket", "_gcount", "_gsum"),
    MetricKind.SUMMARY: ("_count", "_sum", "_created"),
    MetricKind.INFO: ("_info",),
}
"""What OpenMetrics appends to the names of families for their samples."""

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_RESERVED_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")
_RESERVED_LABELS = {
    MetricKind.HISTOGRAM: "le",
    MetricKind.GAUGE_HISTOGRAM: "le",
    MetricKind.SUMMARY: "quantile",
}


def check_metric_name(name: str) -> None:
    """Raise InvalidValue unless the formats can carry this name."""
    if not isinstance(name, str) or not _METRIC_NAME.fullmatch(name):
        raise InvalidValue(
            f"a metric name must match [a-zA-Z_:][a-zA-Z0-9_:]*, got {name!r}: use snake case, like 'orders_total'"
        )


def check_reported_name(name: str, kind: MetricKind) -> None:
    """Raise InvalidValue unless a program of ours may report this kind under this name.

    A counter ends in ``_total``; nothing else ends in a suffix that the formats add themselves.
    """
    check_metric_name(name)
    suffix = next((s for s in _RESERVED_SUFFIXES if name.endswith(s)), None)
    if kind is MetricKind.COUNTER:
        if suffix != "_total" or name == "_total":
            stem = name.removesuffix(suffix or "") or "events"
            raise InvalidValue(f"a counter's name must end in '_total', got {name!r}: call it '{stem}_total'")
    elif kind is MetricKind.INFO and name.endswith("_info"):
        raise InvalidValue(
            f"the suffix '_info' is added by the exposition formats, got info {name!r}:"
            f" call it '{name.removesuffix('_info') or 'build'}'"
        )
    elif suffix is not None:
        raise InvalidValue(
            f"the suffix '{suffix}' is reserved by the exposition formats, got {kind.value} {name!r}:"
            f" call it '{name.removesuffix(suffix)}'"
        )


def family_base(name: str, kind: MetricKind) -> str:
    """The name that OpenMetrics gives a family: a counter's without ``_total``."""
    return name.removesuffix("_total") if kind is MetricKind.COUNTER else name


def claimed_names(name: str, kind: MetricKind) -> frozenset[str]:
    """The names in OpenMetrics that belong to this family alone, whether it has such samples or not."""
    base = family_base(name, kind) or name
    return frozenset((base, *(f"{base}{suffix}" for suffix in ADDED_SUFFIXES.get(kind, ()))))


def check_unit(name: str, kind: MetricKind, unit: str) -> None:
    """Raise InvalidValue unless the unit is the last word of the name (before a counter's ``_total``)."""
    base = family_base(name, kind)
    if not isinstance(unit, str):
        raise InvalidValue(f"unit must be a string, got {unit!r}: write '' for none")
    if unit and not base.endswith(f"_{unit}"):
        total = "_total" if kind is MetricKind.COUNTER else ""
        raise InvalidValue(
            f"unit {unit!r} must be the suffix of the name, got {name!r}: call it '{base}_{unit}{total}'"
        )


def check_label_names(names: Iterable[str], kind: MetricKind) -> None:
    """Raise InvalidValue unless every label name is one that the formats can carry and do not reserve."""
    for name in names:
        if not isinstance(name, str) or not _LABEL_NAME.fullmatch(name):
            raise InvalidValue(f"a label name must match [a-zA-Z_][a-zA-Z0-9_]*, got {name!r}")
        if name.startswith("__") or name == _RESERVED_LABELS.get(kind):
            raise InvalidValue(f"the label name {name!r} is reserved: choose another")


def check_labels(labels: Mapping[str, str], kind: MetricKind) -> None:
    """Raise InvalidValue unless labels map usable names to strings of valid UTF-8."""
    if not isinstance(labels, Mapping):
        raise InvalidValue(f"labels must be a mapping of names to strings, got {labels!r}")
    check_label_names(labels, kind)
    for name, value in labels.items():
        if not isinstance(value, str):
            raise InvalidValue(f"the value of label {name!r} must be a string, got {value!r}: write str(value)")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValue(f"the value of label {name!r} must be valid UTF-8, got {value!r}") from None
