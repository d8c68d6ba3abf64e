"""Instruments that follow something which is read now and then, and report what changed."""

from observabilipy.instruments import Counter, Gauge

__all__ = ["Followed", "Growth"]


class Growth:
    """A counter of what a number has grown by since the last look.

    Args:
        counter: where it is added.
        since: the number from which on it counts.
    """

    __slots__ = ("_counter", "_latest")

    def __init__(self, counter: Counter, since: float) -> None:
        self._counter = counter
        self._latest = since

    def follow(self, number: float) -> None:
        """Add the growth. A number that is lower than before began anew at 0: in another process, say."""
        grown = number - self._latest if number >= self._latest else number
        self._latest = number
        if grown > 0:
            self._counter.inc(grown)

    def begin_anew(self, since: float) -> None:
        """In a forked child: what came before is the parent's."""
        self._latest = since


class Followed:
    """A gauge that is set when the number is another one than before, so that what stays costs no commit."""

    __slots__ = ("_gauge", "_latest")

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._latest: float | None = None

    def follow(self, number: float | None) -> None:
        """Set it; None is what this system does not tell."""
        if number is not None and number != self._latest:
            self._latest = number
            self._gauge.set(number)

    def begin_anew(self) -> None:
        """In a forked child: it has told nothing yet."""
        self._latest = None
