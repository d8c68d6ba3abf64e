"""Checks: what the settings of a runtime must be."""

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from observabilipy.errors import ConfigurationError
from observabilipy.logs.cuts import MIN_ENTRY_BYTES
from observabilipy.logs.redaction import Redaction
from observabilipy.models import LevelRetentionPolicy, RetentionPolicy
from observabilipy.ports import RingPort, RuntimeStoragePort
from observabilipy.retention import plan_history_retention

__all__ = [
    "CollectorName",
    "LogDurability",
    "check_all_positive",
    "check_collectors",
    "check_durability",
    "check_policies",
    "check_positive",
    "check_records",
]

CollectorName: TypeAlias = Literal["process", "python", "library"]
"""What can be reported without being asked: about this process, its Python, and the library."""

LogDurability: TypeAlias = Literal["memory", "crash"]
"""What a killed process loses: the log entries that it had not committed, or none."""


_MAX_ENTRY_BYTES = 1024 * 1024  # a ring and a backlog hold some of them


def check_positive(name: str, value: float) -> None:
    """A positive, finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a positive number, got {value!r}")


def check_all_positive(**values: float) -> None:
    """Positive, finite numbers, by their names."""
    for name, value in values.items():
        check_positive(name, value)


def check_collectors(names: Iterable[CollectorName]) -> frozenset[CollectorName]:
    """Collectors that there are."""
    known = get_args(CollectorName)
    given = () if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if isinstance(names, str) or not isinstance(names, Iterable) or any(name not in known for name in given):
        raise ConfigurationError(
            f"collectors must be some of {', '.join(map(repr, known))}, got {names!r}:"
            " write ('process',), or () for none"
        )
    return frozenset(given)


def check_records(redaction: object, max_entry_bytes: object) -> None:
    """How records become entries."""
    if redaction is not None and not isinstance(redaction, Redaction):
        raise ConfigurationError(
            f"redaction must be a Redaction, got {redaction!r}: write Redaction(keys=SECRET_KEYS | {{...}}),"
            " or Redaction(keys=()) to redact nothing"
        )
    if type(max_entry_bytes) is not int or not MIN_ENTRY_BYTES <= max_entry_bytes <= _MAX_ENTRY_BYTES:
        raise ConfigurationError(
            f"max_entry_bytes must be a whole number from {MIN_ENTRY_BYTES} to {_MAX_ENTRY_BYTES}, got"
            f" {max_entry_bytes!r}: what is larger belongs into a file that an entry names"
        )


def check_policies(logs: object, history: object) -> None:
    """Retention policies that can be kept."""
    if not isinstance(logs, RetentionPolicy | LevelRetentionPolicy):
        raise ConfigurationError(
            f"log_retention must be a RetentionPolicy or a LevelRetentionPolicy, got {logs!r}:"
            " write RetentionPolicy(max_age=seconds)"
        )
    if not isinstance(history, RetentionPolicy):
        raise ConfigurationError(
            f"history_retention must be a RetentionPolicy, got {history!r}: write RetentionPolicy(max_age=seconds)"
        )
    plan_history_retention(history, 0.0)  # a policy that no history can keep is refused here, not by the thread


def check_durability(log_durability: object, storage: RuntimeStoragePort) -> None:
    """A durability that there is, and that the storage can give."""
    if log_durability not in {"memory", "crash"}:
        raise ConfigurationError(f'log_durability must be "memory" or "crash", got {log_durability!r}')
    if log_durability == "crash" and not isinstance(storage, RingPort):
        raise ConfigurationError(
            f'log_durability="crash" needs a storage that outlives the process, got {type(storage).__name__}:'
            ' use "sqlite:///observability.db"'
        )
