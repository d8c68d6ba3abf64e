"""Findings: what a storage says of its own condition, for ``observabilipy doctor``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

__all__ = ["Checkable", "Finding", "Verdict"]

Verdict: TypeAlias = Literal["ok", "note", "trouble"]
"""As it should be, worth knowing, or something that must be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        subject: what, in a word or two.
        verdict: how it is.
        told: what was seen, in a sentence without a full stop.
        remedy: what to do about it; "" when it is as it should be.
    """

    subject: str
    verdict: Verdict
    told: str
    remedy: str = ""


@runtime_checkable
class Checkable(Protocol):
    """Optional: a storage that can look at its own condition."""

    def check(self) -> Iterable[Finding]:
        """Look at one thing after the other, blocking, and tell each as soon as it is known.

        It changes nothing that is stored, makes nothing that is not there, and raises nothing for the condition in
        which the storage is: that is a finding. Reading everything may take long.
        """
        ...
