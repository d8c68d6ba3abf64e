"""The library's own troubles: each is a counter, and one warning for each kind.

A warning goes to the logger ``observabilipy``, which our own logging handler never takes, so nothing feeds itself.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from observabilipy.errors import InvalidValue

__all__ = ["DROPPED_NAME", "Count", "Troubles"]

DROPPED_NAME = "observabilipy_log_entries_dropped_total"
"""The counter of log entries that were given up, by level and reason."""

Count: TypeAlias = Callable[[str, str, tuple[tuple[str, str], ...], float], None]
"""Adds to a counter of ours: its name, its help, its labels, and how much."""


class Troubles:
    """Counts what went wrong and says it once.

    Args:
        count: adds to a counter.
        strict: raise refused values instead of counting them, for tests.
    """

    def __init__(self, count: Count, *, strict: bool = False) -> None:
        self._count = count
        self._strict = strict
        self._warned: set[str] = set()

    def rejected(self, reason: str, message: str, of: str = "") -> None:
        """A value was refused; what it was a value of is warned about by itself."""
        if self._strict:
            raise InvalidValue(message)
        self._add("observabilipy_rejected_total", "Values that were refused.", reason=reason)
        self.warn(f"rejected {reason} {of}", f"{message}; further ones are counted in observabilipy_rejected_total")

    def dropped(self, level: str, reason: str, count: int = 1) -> None:
        """Log entries were given up."""
        self._add(DROPPED_NAME, "Log entries given up.", count, level=level, reason=reason)
        self.warn(
            f"dropped {reason}",
            f"log entries are dropped ({reason}); observabilipy_log_entries_dropped_total counts them by level",
        )

    def evicted(self, level: str, count: int) -> None:
        """Stored log entries went before their time, because the storage has reached its largest size."""
        self._add("observabilipy_log_entries_evicted_total", "Log entries deleted at max_bytes.", count, level=level)
        self.warn(
            "evicted",
            "the storage has reached max_bytes: the oldest log entries are deleted before their retention says so;"
            " observabilipy_log_entries_evicted_total counts them. Raise max_bytes, or keep less",
        )

    def evicted_points(self, count: int) -> None:
        """Points of the history went before their time, because the storage has reached its largest size."""
        self._add("observabilipy_history_points_evicted_total", "Points of the history deleted at max_bytes.", count)
        self.warn(
            "evicted points",
            "the storage has reached max_bytes without any log: the oldest history is deleted;"
            " observabilipy_history_points_evicted_total counts its points. Raise max_bytes, or report fewer series",
        )

    def skipped(self, reason: str, count: int) -> None:
        """Pieces of the stored log cannot be read. Whoever came upon the first one has warned about it."""
        self._add("observabilipy_storage_skipped_total", "Segments that cannot be read.", count, reason=reason)

    def unprotected(self) -> None:
        """A log entry waits in memory only, where ``log_durability="crash"`` promised more."""
        self._add("observabilipy_log_entries_unprotected_total", "Log entries that a crash would have taken.")
        self.warn(
            "unprotected",
            "the ring of log entries is full or cannot be made: entries wait in memory, as without"
            ' log_durability="crash"; observabilipy_log_entries_unprotected_total counts them',
        )

    def recovered(self, count: int) -> None:
        """Log entries of a process that was killed were stored by this one."""
        self._add("observabilipy_log_entries_recovered_total", "Log entries that a killed process left.", count)

    def overflowed(self, family: str, count: int) -> None:
        """Increments went to the overflow series."""
        self._add("observabilipy_series_overflow_total", "Reports beyond a series limit.", count, family=family)
        self.warn(
            f"overflow {family}",
            f"{family} reached its series limit: further label values are counted under __overflow__;"
            " find the label with too many values, or raise series_limit",
        )

    def cut_label(self, family: str) -> None:
        """A label value was cut, because it was too long."""
        self._add("observabilipy_label_values_cut_total", "Label values that were too long.", family=family)
        self.warn(
            f"cut label {family}",
            f"a label value of {family} is longer than 1,024 characters and was cut: labels are for few, short values;"
            " observabilipy_label_values_cut_total counts them",
        )

    def refused(self, family: str, count: int) -> None:
        """New gauges were refused: there is no overflow for what cannot be added up."""
        self._add("observabilipy_rejected_total", "Values that were refused.", count, reason="series_limit")
        self.warn(
            f"refused {family}",
            f"{family} reached its series limit and refuses new gauges;"
            " find the label with too many values, or raise series_limit",
        )

    def hidden(self, family: str, count: int) -> None:
        """Reports were of another kind than their family."""
        self._add("observabilipy_hidden_samples_total", "Reports of a kind that is hidden.", count, family=family)
        self.warn(f"hidden {family}", f"{family} is reported under two kinds: only the newest definition is shown")

    def left_out(self, sentence: str) -> None:
        """A family could not be shown beside another one; the sentence says which and why."""
        self._add("observabilipy_families_left_out_total", "Families left out of an answer of /metrics.")
        self.warn(sentence, sentence)

    def cut(self, reason: str) -> None:
        """An answer of ``/logs`` ended before it had everything; whoever reads it is told, so nobody is warned."""
        self._add("observabilipy_queries_cut_total", "Answers of /logs that ended at a limit.", reason=reason)

    def turned_away(self, reason: str) -> None:
        """A reader of ``/logs`` was sent away, because others take all that this process has for such."""
        self._add("observabilipy_queries_refused_total", "Queries of /logs that were refused.", reason=reason)
        self.warn(
            f"turned away {reason}",
            f"/logs refuses queries for now ({reason}): as many are answered as one process may;"
            " observabilipy_queries_refused_total counts them",
        )

    def failed(self, task: str, error: BaseException) -> None:
        """A task of the library failed."""
        self._add("observabilipy_failures_total", "Tasks of the library that failed.", task=task)
        self.warn(f"failed {task}", f"{task} failed: {_said(error)}; observabilipy_failures_total counts it")

    def lost(self, family: str, count: int) -> None:
        """Samples that no storage would take were given up."""
        self._add("observabilipy_samples_dropped_total", "Samples given up.", count, family=family)
        self.warn(f"lost {family}", f"samples of {family} were given up: the storage does not take them")

    def warn(self, key: str, message: str) -> None:
        """Say something once, through the logger ``observabilipy``."""
        if key in self._warned:
            return
        self._warned.add(key)
        with suppress(Exception):  # a handler of the application may raise anything
            logging.getLogger("observabilipy").warning("%s", message)

    def _add(self, name: str, help: str, amount: float = 1, **labels: str) -> None:
        self._count(name, help, tuple(labels.items()), amount)


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        return f"{type(error).__name__}, which cannot be printed"
