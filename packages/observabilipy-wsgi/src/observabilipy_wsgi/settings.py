"""Settings: what the Flask extension reads from ``app.config``, one key for each of its arguments."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from observabilipy import ConfigurationError, Observability

__all__ = ["DEFAULTS", "check_options", "settings"]

_PREFIX = "OBSERVABILIPY_"

DEFAULTS: Mapping[str, Any] = {  # Any: settings are of all types
    "prefix": "",
    "access_log": True,
    "request_ids": True,
    "body_sizes": False,
    "exclude": (),
}
"""What an application gets when nothing is said, beside what ``Observability`` decides itself."""

_OF_OBSERVABILITY = {name: p.default for name, p in inspect.signature(Observability).parameters.items()}
_KNOWN = {**_OF_OBSERVABILITY, **DEFAULTS}
_MEANT = {"TOKEN": "AUTH"}  # the name of the environment variable


def settings(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is set for an application: its config counts more than the extension's arguments.

    Raises:
        ConfigurationError: a key that nobody knows, something else than True or False where only these make sense, or a
            prefix that cannot stand before a path.
    """
    given = {key: value for key, value in config.items() if key.startswith(_PREFIX)}
    _check_known(given, [f"{_PREFIX}{name.upper()}" for name in _KNOWN])
    chosen = {**arguments, **{key.removeprefix(_PREFIX).lower(): value for key, value in given.items()}}
    for name, value in chosen.items():
        if isinstance(_KNOWN[name], bool) and not isinstance(value, bool):
            raise ConfigurationError(f"{_PREFIX}{name.upper()} must be True or False, got {value!r}")
    _check_prefix(chosen["prefix"])
    return chosen


def check_options(options: Iterable[str]) -> None:
    """Refuse arguments that ``Observability`` does not take.

    Raises:
        ConfigurationError: with the nearest one that it takes.
    """
    _check_known(options, list(_KNOWN))


def _check_known(names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            meant = _MEANT.get(name.removeprefix(_PREFIX))
            nearest = [_PREFIX + meant] if meant else get_close_matches(name, known, n=1, cutoff=0)
            raise ConfigurationError(f"no setting is called {name!r}: did you mean {nearest[0]!r}?")


def _check_prefix(prefix: object) -> None:
    if not isinstance(prefix, str) or (
        prefix and (not prefix.startswith("/") or prefix.endswith("/") or "<" in prefix)
    ):
        raise ConfigurationError(
            f"prefix must be empty, or begin with a slash and not end with one, got {prefix!r}: write '/internal'"
        )
