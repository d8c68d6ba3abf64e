"""Checks: what the settings of a runtime must be."""

from observabilipy.errors import ConfigurationError
from observabilipy.models import LevelRetentionPolicy, RetentionPolicy
from observabilipy.retention import plan_history_retention

__all__ = ["check_policies", "check_positive"]


def check_positive(name: str, value: float) -> None:
    """A positive, finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a positive number, got {value!r}")


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
