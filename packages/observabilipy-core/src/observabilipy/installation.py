"""The process's one Observability, so that routers, tasks and ``dictConfig`` reach it without passing it on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from observabilipy.errors import ConfigurationError

if TYPE_CHECKING:
    from observabilipy.observability import Observability

__all__ = ["current", "install", "installed", "provide"]


def _nothing() -> None:
    return None


_find: "Callable[[], Observability | None]" = _nothing


def install(obs: "Observability") -> "Observability":
    """Make this the process's Observability, and give it back. The latest one counts."""
    provide(lambda: obs)
    return obs


def provide(find: "Callable[[], Observability | None]") -> None:
    """Let this find the process's Observability whenever somebody asks: for frameworks that make it when first needed.

    It may be called from any thread, and from log calls that it causes itself; there it gives None. It may raise a
    ConfigurationError, which reaches who asks for ``current()``.
    """
    global _find  # noqa: PLW0603 - one for the whole process is the point of this module
    _find = find


def current() -> "Observability":
    """The process's Observability.

    Raises:
        ConfigurationError: there is none yet, or the one that is configured cannot be made.
    """
    obs = _find()
    if obs is None:
        raise ConfigurationError(
            "this process has no Observability yet: call instrument(app, ...) or install(Observability(...)) first, or"
            " set up the framework that makes it, as django.setup() does"
        )
    return obs


def installed() -> "Observability | None":
    """The process's Observability, or None as long as there is none."""
    try:
        return _find()
    except ConfigurationError:  # whoever found that out has said it
        return None
