"""The kinds of metric, those of OpenMetrics."""

from enum import StrEnum
from typing import Literal, TypeAlias

__all__ = ["Aggregate", "MetricKind"]

Aggregate: TypeAlias = Literal["last", "sum", "min", "max"]
"""How the gauges of several workers become one: the latest commit, or over the living workers."""


class MetricKind(StrEnum):
    """What a family's numbers mean. Programs report the first three and infos; the others come from foreign collectors.

    Source: OpenMetrics 1.0, "Metric Types".
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gaugehistogram"
    SUMMARY = "summary"
    INFO = "info"
    STATE_SET = "stateset"
    UNKNOWN = "unknown"

    @property
    def is_set(self) -> bool:
        """Whether each worker sets a value, which its family's aggregate makes one; else increments are added up."""
        return self in {MetricKind.GAUGE, MetricKind.INFO}
