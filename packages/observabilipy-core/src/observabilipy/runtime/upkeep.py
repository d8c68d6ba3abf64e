"""Upkeep: what one of the workers does for all of them, by lease."""

import time
from collections.abc import Callable

from observabilipy.awaiting import await_here
from observabilipy.models import Clock, LevelRetentionPolicy, RetentionPolicy
from observabilipy.ports import RuntimeStoragePort, Worker
from observabilipy.retention import apply_history_retention, apply_log_retention
from observabilipy.troubles import Troubles

__all__ = ["Upkeep"]

_ROUND_SECONDS = 1.0
_LEASE_SECONDS = 5.0


class Upkeep:
    """Maintains the storage, samples the history and applies retention, each in its own rhythm.

    Args:
        storage: what is kept in order.
        troubles: told about what failed; the next round tries again.
        log_retention: how long entries are kept.
        history_retention: how long the history is kept.
        history_interval: seconds between two samples of the totals.
        retention_interval: seconds between two looks at what is too old or too much.
        clock: gives unix seconds.
    """

    def __init__(
        self,
        storage: RuntimeStoragePort,
        troubles: Troubles,
        *,
        log_retention: RetentionPolicy | LevelRetentionPolicy,
        history_retention: RetentionPolicy,
        history_interval: float,
        retention_interval: float,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._troubles = troubles
        self._log_retention = log_retention
        self._history_retention = history_retention
        self._clock = clock
        self._round = _Rhythm(min(_ROUND_SECONDS, history_interval, retention_interval))
        self._sampling = _Rhythm(history_interval)
        self._retention = _Rhythm(retention_interval)

    def look(self, worker: Worker) -> None:
        """Do what is due, if this worker has the lease or can take it."""
        if self._round.is_due() and self._task("maintenance", lambda: self._maintain(worker)):
            if self._sampling.is_due():
                self._task("sampling the history", lambda: self._storage.sample_history(self._clock()))
            if self._retention.is_due():
                self._task("retention of logs", self._retain_logs)
                self._task("retention of the history", self._retain_history)

    def _maintain(self, worker: Worker) -> bool:
        if not self._storage.acquire_lease(worker, _LEASE_SECONDS):
            return False
        self._storage.maintain()
        return True

    def _retain_logs(self) -> None:
        await_here(apply_log_retention(self._storage, self._log_retention, self._clock()))

    def _retain_history(self) -> None:
        await_here(apply_history_retention(self._storage, self._history_retention, self._clock()))

    def _task(self, name: str, work: Callable[[], object]) -> bool:
        """Whether the work was done, and not in vain."""
        try:
            return work() is not False
        except Exception as error:  # noqa: BLE001 - a storage may raise anything; the next round tries again
            self._troubles.failed(name, error)
            return False


class _Rhythm:
    """Due once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def is_due(self) -> bool:
        now = time.monotonic()
        due = now - self._last >= self._seconds
        if due:
            self._last = now
        return due
