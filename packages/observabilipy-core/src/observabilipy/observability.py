"""Observability: one object that counts, measures and logs, and the storage behind it."""

import math
import time
from collections.abc import Iterable
from logging import LogRecord
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload
from weakref import ReferenceType

from observabilipy import sigterm
from observabilipy.errors import ConfigurationError
from observabilipy.instruments import Counter, Gauge, Histogram, Labelled
from observabilipy.logging_handler import LoggingHandler
from observabilipy.logs.buffer import LogCall
from observabilipy.logs.logger import Logger
from observabilipy.logs.redaction import Redaction
from observabilipy.models import (
    DEFAULT_BUCKETS,
    DEFAULT_SERIES_LIMIT,
    LEVELS,
    RANKS,
    Aggregate,
    Clock,
    level_name,
)
from observabilipy.storage.opening import opened

if TYPE_CHECKING:
    from observabilipy.http import AddedCollector, Auth, Endpoints, Limits
    from observabilipy.models import LevelRetentionPolicy, RetentionPolicy
    from observabilipy.ports import LogStoragePort, MetricsStoragePort
    from observabilipy.runtime.checks import CollectorName, LogDurability

__all__ = ["Observability"]


class Observability:
    """Metrics and logs of one service, in one storage.

    ``debug``, ``info``, ``warning``, ``error``, ``critical`` and ``exception`` record log entries, ``timed`` one for a
    block, ``bind`` and ``context`` give them attributes; ``counter``, ``gauge``, ``histogram`` and
    ``info_metric`` define instruments.
    Recording touches the memory of this process only; the runtime's thread carries it into the storage.

    Args:
        storage: a storage URL (``memory://``, ``ring://?entries=1000&samples=1000``, ``sqlite:///observability.db``),
            a storage, or a pair of a log storage and a metrics storage.
        service: a name that every log entry carries as the attribute ``service``.
        auth: who may read the endpoints: a token, several, a callable, or "public"; from the environment if left out.
        metrics_auth: who may read /metrics, when that is another answer.
        level: entries below this level are not recorded.
        log_retention: how long entries are kept; the storage's default if left out.
        history_retention: how long the history of metrics is kept; the storage's default if left out.
        flush_interval: seconds between two commits.
        history_interval: seconds between two samples of the totals.
        log_durability: "memory": a process that is killed loses the log entries that it had not committed yet. "crash":
            entries go through a file beside the storage, and others recover them from there; a call costs 2.7
            to 3.7 microseconds instead of 0.6 to 0.8.
        collectors: what is reported without being asked: "process" (CPU time, memory, open files), "python" (garbage
            collector, version), "library" (commits, workers, what is stored); ``()`` for none.
        redaction: which attributes are not stored; ``Redaction()``, the common names of secrets, if left out.
        max_entry_bytes: how long the line of a log entry may be; what is cut off is marked.
        strict: raise refused values instead of counting them, for tests.
        health: answer /health, without data and without auth.
        created: tell in OpenMetrics when each series began (``_created``), which Prometheus stores as one more series.
        limits: how much of this process readers of /logs may take; ``observabilipy.http.Limits()`` if left out.
        handle_sigterm: commit at SIGTERM, before whoever else handles it.
        clock: gives unix seconds.

    Raises:
        ConfigurationError: a setting that cannot work; the message says what to write instead.
    """

    debug: LogCall
    info: LogCall
    warning: LogCall
    error: LogCall
    critical: LogCall

    def __init__(
        self,
        storage: "str | LogStoragePort | tuple[LogStoragePort, MetricsStoragePort]" = "memory://",
        *,
        service: str | None = None,
        auth: "Auth | None" = None,
        metrics_auth: "Auth | None" = None,
        level: str = "DEBUG",
        log_retention: "RetentionPolicy | LevelRetentionPolicy | None" = None,
        history_retention: "RetentionPolicy | None" = None,
        flush_interval: float = 0.2,
        history_interval: float = 10.0,
        log_durability: "LogDurability" = "memory",
        collectors: "Iterable[CollectorName]" = ("process", "python", "library"),
        redaction: Redaction | None = None,
        max_entry_bytes: int = 262_144,
        strict: bool = False,
        health: bool = False,
        created: bool = False,
        limits: "Limits | None" = None,
        handle_sigterm: bool = True,
        clock: Clock = time.time,
    ) -> None:
        from observabilipy.runtime import EmbeddedRuntime  # an eighth of our own import, for who has a runtime only

        _check_auth(auth, metrics_auth)
        self.level = level = _known_level(level)
        # The lowest number of standard logging that is recorded: whatever is below DEBUG counts as DEBUG.
        self.lowest_number = -math.inf if level == "DEBUG" else RANKS[level]
        self.taken: dict[int, ReferenceType[LogRecord]] = {}  # the latest record of each thread, for LoggingHandler
        self.service = service
        self.clock = clock
        self._auth = auth
        self._metrics_auth = metrics_auth
        self._health = health
        self._created = created
        self._limits = limits
        self._endpoints: Endpoints | None = None
        self._added: list[AddedCollector] = []
        self._logging_handler: LoggingHandler | None = None
        if service is not None and (not isinstance(service, str) or not service.strip()):
            raise ConfigurationError(f"service must be a name, got {service!r}: leave it out if there is none")
        log_storage, metrics_storage = opened(storage)
        self.runtime = EmbeddedRuntime(
            log_storage,
            metrics_storage,
            log_retention=log_retention,
            history_retention=history_retention,
            flush_interval=flush_interval,
            history_interval=history_interval,
            base={} if service is None else {"service": service},
            redaction=redaction,
            log_durability=log_durability,
            collectors=collectors,
            max_entry_bytes=max_entry_bytes,
            strict=strict,
            close_storage=isinstance(storage, str),
            clock=clock,
        )
        self.storage = self.runtime.storage
        self.buffer = self.runtime.buffer
        logger = Logger(self.buffer, clock, level, {})
        self.debug = logger.debug
        self.info = logger.info
        self.warning = logger.warning
        self.error = logger.error
        self.critical = logger.critical
        self.exception = logger.exception
        self.record = logger.record
        self.timed = logger.timed
        self.bind = logger.bind
        self.context = logger.context
        if handle_sigterm:
            sigterm.watch()

    @property
    def endpoints(self) -> "Endpoints":
        """The pure HTTP endpoints, for adapters to put behind a server."""
        if self._endpoints is None:
            from observabilipy.http import Endpoints

            self._endpoints = Endpoints(
                self.storage,
                auth=self._auth,
                metrics_auth=self._metrics_auth,
                health=self._health,
                created=self._created,
                limits=self._limits,
                flush=self.aflush,
                on_error=lambda error: self.runtime.troubles.failed("answering a request", error),
                on_clash=self.runtime.troubles.left_out,
                on_cut=self.runtime.troubles.cut,
                on_refused=self.runtime.troubles.turned_away,
                collectors=self._added,
                on_collector_failure=self.runtime.troubles.failed,
            )
        return self._endpoints

    @overload
    def counter(self, name: str, help: str, *, unit: str = "", series_limit: int = ...) -> Counter: ...
    @overload
    def counter(
        self, name: str, help: str, *, labels: Iterable[str], unit: str = "", series_limit: int = ...
    ) -> Labelled[Counter]: ...
    def counter(
        self,
        name: str,
        help: str,
        *,
        labels: Iterable[str] = (),
        unit: str = "",
        series_limit: int = DEFAULT_SERIES_LIMIT,
    ) -> Counter | Labelled[Counter]:
        """Define a counter, or get the one that was defined in the same way.

        Args:
            name: ends in ``_total``.
            help: a sentence for people.
            labels: names of labels; ``counter.labels(...)`` then gives the series to count on.
            unit: base unit in plural, the name's suffix before ``_total`` (``bytes``, ``seconds``), if it has one.
            series_limit: series before further label values are counted together as ``__overflow__``.

        Raises:
            ConfigurationError: a name, help, label or unit that breaks its rule, or a name defined in another way.
        """
        return self.runtime.registry.counter(name, help, labels, unit=unit, series_limit=series_limit)

    @overload
    def gauge(
        self,
        name: str,
        help: str,
        *,
        unit: str = "",
        aggregate: Aggregate = "last",
        series_limit: int = ...,
    ) -> Gauge: ...
    @overload
    def gauge(
        self,
        name: str,
        help: str,
        *,
        labels: Iterable[str],
        unit: str = "",
        aggregate: Aggregate = "last",
        series_limit: int = ...,
    ) -> Labelled[Gauge]: ...
    def gauge(
        self,
        name: str,
        help: str,
        *,
        labels: Iterable[str] = (),
        unit: str = "",
        aggregate: Aggregate = "last",
        series_limit: int = DEFAULT_SERIES_LIMIT,
    ) -> Gauge | Labelled[Gauge]:
        """Define a gauge, or get the one that was defined in the same way.

        Args:
            name: without the suffixes that the formats reserve.
            help: a sentence for people.
            labels: names of labels; ``gauge.labels(...)`` then gives the series to set.
            unit: base unit in plural, the name's suffix, if it has one.
            aggregate: how the gauges of several workers become one: "last" the latest commit, which outlives its
                worker; "sum", "min", "max" over the workers that live.
            series_limit: series before further ones are refused and counted.

        Raises:
            ConfigurationError: a name, help, label, unit or aggregate that breaks its rule, or a name defined in
                another way.
        """
        return self.runtime.registry.gauge(
            name, help, labels, unit=unit, aggregate=aggregate, series_limit=series_limit
        )

    @overload
    def histogram(
        self,
        name: str,
        help: str,
        *,
        unit: str = "",
        buckets: Iterable[float] = ...,
        series_limit: int = ...,
    ) -> Histogram: ...
    @overload
    def histogram(
        self,
        name: str,
        help: str,
        *,
        labels: Iterable[str],
        unit: str = "",
        buckets: Iterable[float] = ...,
        series_limit: int = ...,
    ) -> Labelled[Histogram]: ...
    def histogram(
        self,
        name: str,
        help: str,
        *,
        labels: Iterable[str] = (),
        unit: str = "",
        buckets: Iterable[float] = DEFAULT_BUCKETS,
        series_limit: int = DEFAULT_SERIES_LIMIT,
    ) -> Histogram | Labelled[Histogram]:
        """Define a histogram, or get the one that was defined in the same way.

        Args:
            name: without the suffixes that the formats reserve.
            help: a sentence for people.
            labels: names of labels; ``histogram.labels(...)`` then gives the series to observe on.
            unit: base unit in plural, the name's suffix, if it has one.
            buckets: upper bounds, strictly increasing, +Inf implied; 5 ms to 60 s if left out.
            series_limit: series before further label values are counted together as ``__overflow__``.

        Raises:
            ConfigurationError: a name, help, label, unit or bound that breaks its rule, or a name defined in another
                way.
        """
        return self.runtime.registry.histogram(
            name, help, labels, unit=unit, buckets=buckets, series_limit=series_limit
        )

    def add_collector(self, collector: "AddedCollector") -> None:
        """Show what another library counts: ``collector()`` is called for each answer of ``/metrics``.

        It gives families with their series, which follow those of the store. They are what the worker that answers
        knows, and the store does not keep them. It is called off the event loop, by several scrapes at a time perhaps,
        and the answer waits for it; while sixteen calls have not returned, answers go on without it. What it raises is
        counted in ``observabilipy_failures_total`` and warned about once, and the answer goes on without the rest of
        it. ``observabilipy.bridge`` has one for a registry of prometheus_client.

        Raises:
            ConfigurationError: it cannot be called.
        """
        if not callable(collector):
            raise ConfigurationError(f"a collector is a callable that gives families, got {collector!r}")
        if collector not in self._added:
            self._added.append(collector)

    def info_metric(self, name: str, help: str, /, **labels: object) -> None:
        """Say what this program is: ``obs.info_metric("build", "What runs here.", version="1.4", revision="3f9c2")``.

        Shown as ``build_info{version="1.4",revision="3f9c2"} 1`` while a worker lives that said so: in the middle of a
        rolling deploy both versions, afterwards the new one. A worker says it with its first record.

        Args:
            name: without ``_info``, which the formats add.
            help: a sentence for people.
            labels: what does not change while the process lives; values become strings by ``str()``.

        Raises:
            ConfigurationError: a name, help or label that breaks its rule, or a name defined in another way.
        """
        self.runtime.registry.info_metric(name, help, labels)

    def logging_handler(self) -> LoggingHandler:
        """The handler that brings standard logging into this log: ``logging.getLogger().addHandler(...)``.

        It is the same one each time, so adding it again changes nothing.
        """
        if self._logging_handler is None:
            self._logging_handler = LoggingHandler(self)
        return self._logging_handler

    def flush(self) -> bool:
        """Commit everything recorded before the call. False when the storage cannot take it now."""
        return self.runtime.flush()

    async def aflush(self) -> bool:
        """The same without holding the event loop."""
        return await self.runtime.aflush()

    def close(self) -> None:
        """Commit what there is and end. A storage that was opened from a URL is closed. May be called again."""
        self.runtime.close()

    async def aclose(self) -> None:
        """The same without holding the event loop."""
        await self.runtime.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _known_level(level: str) -> str:
    name = level_name(level) if isinstance(level, str) and level.strip() else ""
    if name not in RANKS:
        raise ConfigurationError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    return name


def _check_auth(*decisions: "Auth | None") -> None:
    """What the environment decides is looked at when the endpoints are first used; a script has none."""
    if any(decision is not None for decision in decisions):
        from observabilipy.http.access import access_guard

        for decision in decisions:
            access_guard(decision, {}, lambda _: None)
