"""Maintenance: what one worker does for all of them, a little with each call."""

import sqlite3
import time
from collections.abc import Callable

from observabilipy_sqlite import totals, workers
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.packing import Packer
from observabilipy_sqlite.scrubbing import Scrubber
from observabilipy_sqlite.sealing import Gatherer, seal
from observabilipy_sqlite.tiers import Tiers

__all__ = ["Maintenance"]

_SWEEP_SECONDS = 1.0


class Maintenance:
    """Keeps a database in order; all calls come from the same thread.

    Args:
        database: which.
        tiers: how the history is thinned, and how long it is kept.
        now: gives microseconds since 1970.
    """

    def __init__(self, database: Database, tiers: Tiers, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now
        self.packer = Packer(database, tiers, database.damage.in_packing)
        self._scrubber = Scrubber()
        self._gatherer = Gatherer()
        self._seals_on = False
        self._swept = 0.0  # when, monotonic

    def work(self) -> bool:
        """Sweep, seal, pack and checkpoint, for some tenths of a second; True when there is more to seal."""
        moment = time.monotonic()
        if not self._seals_on or moment - self._swept >= _SWEEP_SECONDS:  # 100,000 series are no look for each slice
            self._swept = moment
            self._database.write(self._sweep)
            self._scrubber.work(self._database)
            self._gatherer.work(self._database)
        self._seals_on = seal(self._database)
        try:
            self.packer.work(self._now())
        finally:
            self._database.keep_reserve()
            self._database.checkpoint()
        return self._seals_on

    def forget(self) -> None:
        """In a forked child: let go of what the parent has begun."""
        self.packer.forget()

    def _sweep(self, connection: sqlite3.Connection) -> None:
        workers.sweep(connection, self._now())
        totals.sweep(connection, self._now())
        totals.forget_ended(connection)
