"""The process's one Observability, so that routers, tasks and ``dictConfig`` reach it without passing it on."""

from typing import TYPE_CHECKING

from observabilipy.errors import ConfigurationError

if TYPE_CHECKING:
    from observabilipy.observability import Observability

__all__ = ["current", "install", "installed"]

_installed: "list[Observability]" = []


def install(obs: "Observability") -> "Observability":
    """Make this the process's Observability, and give it back. The latest one counts."""
    _installed[:] = [obs]
    return obs


def current() -> "Observability":
    """The process's Observability.

    Raises:
        ConfigurationError: none was installed yet.
    """
    obs = installed()
    if obs is None:
        raise ConfigurationError(
            "this process has no Observability yet: call instrument(app, ...) or install(Observability(...)) first"
        )
    return obs


def installed() -> "Observability | None":
    """The process's Observability, or None before there is one."""
    return _installed[0] if _installed else None
