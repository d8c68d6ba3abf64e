"""Observability built into a Python service: metrics and structured logs, kept where the service runs."""

from typing import TYPE_CHECKING

from observabilipy.encoding.ndjson import encode_entry, encode_logs
from observabilipy.errors import (
    ConfigurationError,
    InvalidCursor,
    InvalidValue,
    ObservabilityError,
    StorageNotInstalled,
    StorageRefused,
    StorageUnavailable,
    UnsupportedQuery,
)
from observabilipy.installation import current, install
from observabilipy.instruments import Counter, Gauge, Histogram, Labelled
from observabilipy.lazy import lazy
from observabilipy.logging_handler import LoggingHandler
from observabilipy.logs.logger import Logger
from observabilipy.logs.redaction import ALLOWED_KEYS, SECRET_KEYS, Redaction
from observabilipy.models import (
    Exemplar,
    Family,
    HistogramValue,
    LogEntry,
    MetricKind,
    MetricSample,
    Series,
    SeriesHistory,
    SummaryValue,
    counter,
    gauge,
    histogram,
)
from observabilipy.observability import Observability
from observabilipy.storage.opening import open_storage

if TYPE_CHECKING:
    from observabilipy.encoding.exposition import encode_family, encode_metrics
    from observabilipy.models import LevelRetentionPolicy, LogFacts, LogQuery, Matcher, MetricQuery, RetentionPolicy
    from observabilipy.ports import LogStoragePort, MetricsStoragePort, RuntimeStoragePort
    from observabilipy.runtime import EmbeddedRuntime
    from observabilipy.storage.memory_logs import InMemoryLogStorage, RingBufferLogStorage
    from observabilipy.storage.memory_metrics import InMemoryMetricsStorage, RingBufferMetricsStorage

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
    "StorageRefused",
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

__getattr__ = lazy(
    __name__,
    {
        "EmbeddedRuntime": "observabilipy.runtime",
        "InMemoryLogStorage": "observabilipy.storage.memory_logs",
        "InMemoryMetricsStorage": "observabilipy.storage.memory_metrics",
        "LevelRetentionPolicy": "observabilipy.models",
        "LogFacts": "observabilipy.models",
        "LogQuery": "observabilipy.models",
        "LogStoragePort": "observabilipy.ports",
        "Matcher": "observabilipy.models",
        "MetricQuery": "observabilipy.models",
        "MetricsStoragePort": "observabilipy.ports",
        "RetentionPolicy": "observabilipy.models",
        "RingBufferLogStorage": "observabilipy.storage.memory_logs",
        "RingBufferMetricsStorage": "observabilipy.storage.memory_metrics",
        "RuntimeStoragePort": "observabilipy.ports",
        "encode_family": "observabilipy.encoding.exposition",
        "encode_metrics": "observabilipy.encoding.exposition",
    },
)
