"""Maintenance: what one worker does for all of them, a little with each call."""

import time
from collections.abc import Callable
from functools import partial

from observabilipy_sqlite import totals, workers
from observabilipy_sqlite.database import Database
from observabilipy_sqlite.packing import Packer
from observabilipy_sqlite.scrubbing import Scrubber
from observabilipy_sqlite.sealing import Gatherer, seal
from observabilipy_sqlite.tiers import Tiers

__all__ = ["Maintenance"]

_SWEEP_SECONDS = 1.0
_LOOK_MICROS = 10 * 1_000_000  # between two looks at all that live: some hundredths of a second for 100,000


class Maintenance:
    """Keeps a database in order; all calls come from the same thread.

    Args:
        database: which.
        tiers: how the history is thinned, and how long it is kept.
        now: gives microseconds since 1970.
        believed: the same for deleting by age, without jumps ahead that nobody should believe yet.
    """

    def __init__(
        self, database: Database, tiers: Tiers, now: Callable[[], int], believed: Callable[[], int] | None = None
    ) -> None:
        self._database = database
        self._now = now
        self._believed = believed or now
        self.packer = Packer(database, tiers, database.damage.in_packing)
        self._scrubber = Scrubber()
        self._gatherer = Gatherer()
        self._seals_on = False
        self._swept = 0.0  # when, monotonic
        self._looked: int | None = None  # when, microseconds

    def work(self) -> bool:
        """Sweep, seal, pack and checkpoint, for some tenths of a second; True when there is more to seal."""
        moment = time.monotonic()
        if not self._seals_on or moment - self._swept >= _SWEEP_SECONDS:  # 100,000 series are no look for each slice
            self._swept = moment
            self._sweep()
            self._scrubber.work(self._database)
            self._gatherer.work(self._database)
        self._seals_on = seal(self._database)
        try:
            self.packer.work(self._believed())
        finally:
            self._database.keep_reserve()
            self._database.checkpoint()
        return self._seals_on

    def forget(self) -> None:
        """In a forked child: let go of what the parent has begun."""
        self.packer.forget()

    def _sweep(self) -> None:
        now, believed = self._now(), self._believed()
        self._database.write(partial(workers.sweep, now=now))
        # To find them takes long, and nobody who commits should wait for that.
        if ended := self._database.read(totals.forgettable):
            self._database.write(partial(totals.forget, some=ended))
        if self._looked is not None and abs(now - self._looked) < _LOOK_MICROS:
            return
        self._looked = now
        if idle := self._database.read(partial(totals.idle, now=believed)):
            self._database.write(partial(totals.end_idle, some=idle, idle_at=believed, now=now))
