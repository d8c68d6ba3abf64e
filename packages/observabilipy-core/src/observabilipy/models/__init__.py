"""The values that travel through the library. Frozen, checked when built, free of behaviour that needs a store."""

from typing import TYPE_CHECKING

from observabilipy.lazy import lazy
from observabilipy.models.clock import Clock, check_timestamp, from_micros, to_micros
from observabilipy.models.entry import LogEntry
from observabilipy.models.family import DEFAULT_SERIES_LIMIT, Family, SeriesHistory
from observabilipy.models.histogram import DEFAULT_BUCKETS, HistogramValue, bucket_bounds
from observabilipy.models.kind import Aggregate, MetricKind
from observabilipy.models.level import LEVELS, RANKS, level_name, level_of_number, level_rank, name_of_number
from observabilipy.models.names import OVERFLOW
from observabilipy.models.sample import Exemplar, MetricSample, counter, gauge, histogram
from observabilipy.models.series import LabelSets, Series, SeriesColumns, SeriesValue, SummaryValue
from observabilipy.models.text import storable

if TYPE_CHECKING:
    from observabilipy.models.cursor import Cursor, Gap, parse_cursor, resume
    from observabilipy.models.facts import LevelFacts, LogFacts
    from observabilipy.models.policy import LevelRetentionPolicy, RetentionPolicy
    from observabilipy.models.query import LogQuery, Matcher, MetricQuery, Predicate
    from observabilipy.models.volume import LogVolume

__all__ = [
    "DEFAULT_BUCKETS",
    "DEFAULT_SERIES_LIMIT",
    "LEVELS",
    "OVERFLOW",
    "RANKS",
    "Aggregate",
    "Clock",
    "Cursor",
    "Exemplar",
    "Family",
    "Gap",
    "HistogramValue",
    "LabelSets",
    "LevelFacts",
    "LevelRetentionPolicy",
    "LogEntry",
    "LogFacts",
    "LogQuery",
    "LogVolume",
    "Matcher",
    "MetricKind",
    "MetricQuery",
    "MetricSample",
    "Predicate",
    "RetentionPolicy",
    "Series",
    "SeriesColumns",
    "SeriesHistory",
    "SeriesValue",
    "SummaryValue",
    "bucket_bounds",
    "check_timestamp",
    "counter",
    "from_micros",
    "gauge",
    "histogram",
    "level_name",
    "level_of_number",
    "level_rank",
    "name_of_number",
    "parse_cursor",
    "resume",
    "storable",
    "to_micros",
]

# What readers of a store need; a program that records does without.
__getattr__ = lazy(
    __name__,
    {
        "Cursor": "observabilipy.models.cursor",
        "Gap": "observabilipy.models.cursor",
        "LevelFacts": "observabilipy.models.facts",
        "LevelRetentionPolicy": "observabilipy.models.policy",
        "LogFacts": "observabilipy.models.facts",
        "LogQuery": "observabilipy.models.query",
        "LogVolume": "observabilipy.models.volume",
        "Matcher": "observabilipy.models.query",
        "MetricQuery": "observabilipy.models.query",
        "Predicate": "observabilipy.models.query",
        "RetentionPolicy": "observabilipy.models.policy",
        "parse_cursor": "observabilipy.models.cursor",
        "resume": "observabilipy.models.cursor",
    },
)
