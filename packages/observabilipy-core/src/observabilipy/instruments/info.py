"""InfoLedger: what a program says of itself, such as its version."""

from observabilipy.instruments.ledger import Kin, Labels, Ledger, Report

__all__ = ["InfoLedger"]


class InfoLedger(Ledger[None]):
    """The one series of an info, reported once to each store, for as long as the worker lives."""

    def __init__(self, kin: Kin, values: Labels) -> None:
        super().__init__(kin, lambda _: None)
        self.values = values
        self._told = False

    def collect(self, now: float) -> Report | None:
        """See ``Ledger``."""
        return None if self._told else Report([self.sample(self.values, 1, now)], self._confirm)

    def _confirm(self) -> None:
        self._told = True

    def has_news(self) -> bool:
        """Never: it goes with what else is recorded, so that a command that only defines it leaves no file behind."""
        return False

    def begin_anew(self) -> None:
        """See ``Ledger``; the child is a worker, too."""
        self._told = False

    def report_again(self, *, store_is_new: bool) -> None:  # noqa: ARG002 - to either
        """See ``Ledger``."""
        self._told = False
