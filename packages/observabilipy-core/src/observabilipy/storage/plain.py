"""PlainStorage: a runtime storage made of storages that have only the plain ports."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, runtime_checkable

from observabilipy.awaiting import await_here
from observabilipy.errors import ConfigurationError
from observabilipy.models import (
    LogQuery,
    LogVolume,
    RetentionPolicy,
)
from observabilipy.ports import Batch, CommitReport, LogStoragePort, MetricsStoragePort, NdjsonPage, Worker
from observabilipy.storage.memory_metrics import InMemoryMetricsStorage
from observabilipy.storage.ndjson import ndjson_pages
from observabilipy.storage.two import TwoStorages
from observabilipy.storage.volume import log_volume

__all__ = ["PlainStorage"]


@runtime_checkable
class _SamplesHistory(Protocol):
    def sample_history(self, timestamp: float) -> None: ...


class PlainStorage(TwoStorages):
    """Lets the runtime use storages that have only the plain ports: for one process, and at least once.

    *One process*: the lease is always granted, heartbeats change nothing, and gauges count as those of one anonymous
    worker, so several processes on such a store overwrite each other's gauges. *At least once*: a batch is written in
    steps, and a step whose outcome was unclear is repeated; what the store had taken already is there twice. The
    history is sampled only when the metrics storage has a method ``sample_history(timestamp)`` of its own.

    Args:
        log_storage: where entries go; metrics too when it has both ports and ``metrics_storage`` is left out.
        metrics_storage: where metrics go; with neither, an InMemoryMetricsStorage.

    Raises:
        ConfigurationError: a storage that lacks methods of its port.
    """

    default_log_retention = RetentionPolicy(max_age=7 * 86_400, max_bytes=1024**3)
    default_history_retention = RetentionPolicy(max_age=30 * 86_400)

    def __init__(self, log_storage: LogStoragePort, metrics_storage: MetricsStoragePort | None = None) -> None:
        if metrics_storage is None:
            metrics_storage = log_storage if isinstance(log_storage, MetricsStoragePort) else InMemoryMetricsStorage()
        _check_port("log_storage", log_storage, LogStoragePort)
        _check_port("metrics_storage", metrics_storage, MetricsStoragePort)
        self._logs = log_storage
        self._metrics = metrics_storage
        self._committed: dict[str, int] = {}
        self._steps_done: tuple[str, int, int] = ("", 0, 0)

    def read_ndjson(self, query: LogQuery) -> AsyncIterator[NdjsonPage]:
        """Passed on to the log storage; where that has no such method, made of its entries."""
        return ndjson_pages(self._logs, query)

    def read_volume(self, query: LogQuery, step: float) -> AsyncIterator[LogVolume]:
        """Passed on to the log storage; where that has no such method, counted from its entries."""
        return log_volume(self._logs, query, step)

    async def aclose(self) -> None:
        """Close both; one that serves for both is closed twice, which its port allows."""
        await self._logs.aclose()
        await self._metrics.aclose()

    # What the runtime calls

    def commit(self, batch: Batch) -> CommitReport:
        """Write the batch in three steps; a repeated batch goes on with the step that failed.

        The report is empty: plain ports do not tell what they could not take as it was.
        """
        if batch.sequence > self._committed.get(batch.worker.id, 0):
            await_here(self._write(batch))
            self._committed[batch.worker.id] = batch.sequence
        return CommitReport()

    def heartbeat(self, worker: Worker) -> bool:  # noqa: ARG002 - the port's
        """Always True: there is one worker, and it lives."""
        return True

    def end_worker(self, worker: Worker) -> None:
        """Nothing is known of the worker but its last batch, which is forgotten."""
        self._committed.pop(worker.id, None)

    def acquire_lease(self, worker: Worker, lifetime: float) -> bool:  # noqa: ARG002 - the port's
        """Always True: there is one worker."""
        return True

    def sample_history(self, timestamp: float) -> None:
        """Passed on to a metrics storage that has such a method; else nothing is sampled."""
        if isinstance(self._metrics, _SamplesHistory):
            self._metrics.sample_history(timestamp)

    def maintain(self) -> None:
        """Nothing: a plain store keeps its own house."""

    def forget(self) -> None:
        """Nothing: a plain store is on its own in a forked child."""

    def close(self) -> None:
        """Close both."""
        await_here(self.aclose())

    async def _write(self, batch: Batch) -> None:
        steps: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (  # Any: what a coroutine yields is its loop's
            lambda: self._metrics.register(batch.families),
            lambda: self._logs.write_logs(batch.entries),
            lambda: self._metrics.write_samples((*batch.samples, *batch.gauges)),
        )
        worker_id, sequence, done = self._steps_done
        if (worker_id, sequence) != (batch.worker.id, batch.sequence):
            done = 0
        for number, step in enumerate(steps[done:], done + 1):
            await step()
            self._steps_done = (batch.worker.id, batch.sequence, number)


def _check_port(name: str, storage: object, port: type) -> None:
    if not isinstance(storage, port):
        raise ConfigurationError(f"{name} must be a {port.__name__}, got {storage!r}: it lacks methods of that port")
