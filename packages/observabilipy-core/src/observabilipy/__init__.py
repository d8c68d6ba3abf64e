"""Observability built into a Python service: metrics and structured logs, kept where the service runs."""

from observabilipy.encoding.exposition import encode_family, encode_metrics
from observabilipy.encoding.ndjson import encode_entry, encode_logs
from observabilipy.errors import (
    ConfigurationError,
    InvalidCursor,
    InvalidValue,
    ObservabilityError,
    StorageNotInstalled,
    StorageUnavailable,
    UnsupportedQuery,
)
from observabilipy.installation import current, install
from observabilipy.instruments import Counter, Gauge, Histogram, Labelled
from observabilipy.logging_handler import LoggingHandler
from observabilipy.logs.logger import Logger
from observabilipy.logs.redaction import ALLOWED_KEYS, SECRET_KEYS, Redaction
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    LevelRetentionPolicy,
    LogEntry,
    LogFacts,
    LogQuery,
    Matcher,
    MetricKind,
    MetricQuery,
    MetricSample,
    RetentionPolicy,
    Series,
    SeriesHistory,
    SummaryValue,
    counter,
    gauge,
    histogram,
)
from observabilipy.observability import Observability
from observabilipy.ports import LogStoragePort, MetricsStoragePort, RuntimeStoragePort
from observabilipy.runtime import EmbeddedRuntime
from observabilipy.storage import (
    InMemoryLogStorage,
    InMemoryMetricsStorage,
    RingBufferLogStorage,
    RingBufferMetricsStorage,
    open_storage,
)

__all__ = [
    "ALLOWED_KEYS",
    "SECRET_KEYS",
    "ConfigurationError",
    "Counter",
    "EmbeddedRuntime",
    "Exemplar",
    "Family",
    "Gauge",
    "Histogram",
    "HistogramValue",
    "InMemoryLogStorage",
    "InMemoryMetricsStorage",
    "InvalidCursor",
    "InvalidValue",
    "Labelled",
    "LevelRetentionPolicy",
    "LogEntry",
    "LogFacts",
    "LogQuery",
    "LogStoragePort",
    "Logger",
    "LoggingHandler",
    "Matcher",
    "MetricKind",
    "MetricQuery",
    "MetricSample",
    "MetricsStoragePort",
    "Observability",
    "ObservabilityError",
    "Redaction",
    "RetentionPolicy",
    "RingBufferLogStorage",
    "RingBufferMetricsStorage",
    "RuntimeStoragePort",
    "Series",
    "SeriesHistory",
    "StorageNotInstalled",
    "StorageUnavailable",
    "SummaryValue",
    "UnsupportedQuery",
    "counter",
    "current",
    "encode_entry",
    "encode_family",
    "encode_logs",
    "encode_metrics",
    "gauge",
    "histogram",
    "install",
    "open_storage",
]
