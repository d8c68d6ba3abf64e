"""Configuration: what ``settings.OBSERVABILIPY`` says, checked without opening anything."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from observabilipy.errors import ConfigurationError
from observabilipy.http.access import access_guard
from observabilipy.models import LEVELS, RANKS, LevelRetentionPolicy, RetentionPolicy, level_name
from observabilipy.runtime.checks import check_collectors, check_policies, check_positive
from observabilipy.storage import open_storage

__all__ = ["KEYS", "STAFF", "Configuration", "Fault", "faults", "read"]

STAFF = "staff"
"""The permission of active users who are staff."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The setting, sorted by who takes it.

    Args:
        observability: arguments of ``Observability``.
        recorder: arguments of ``RequestRecorder``.
        permission: ``"staff"``, the dotted path of a callable, or None.
    """

    # Any: the values have the types of the arguments, as ``faults`` has found.
    observability: Mapping[str, Any]
    recorder: Mapping[str, Any]
    permission: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the setting that cannot work.

    Args:
        message: the rule and the value.
        hint: what to write instead.
        unknown: it is about a key that does not exist, not about a value.
    """

    message: str
    hint: str
    unknown: bool = False


def read(setting: object) -> Configuration:
    """Sort the setting.

    Raises:
        ConfigurationError: the first fault.
    """
    for fault in faults(setting):
        raise ConfigurationError(f"{fault.message}: {fault.hint}")
    given: dict[str, Any] = dict(setting)  # type: ignore[call-overload] # a fault if it were no dictionary
    permission = given.pop("PERMISSION", STAFF)
    recorder = {name.lower(): given.pop(name) for name in _OF_RECORDER if name in given}
    return Configuration({name.lower(): value for name, value in given.items()}, recorder, permission)


def faults(setting: object) -> Iterator[Fault]:
    """Everything in the setting that cannot work. No file is opened or looked at."""
    if not isinstance(setting, dict):
        yield Fault(
            f"the setting OBSERVABILIPY must be a dictionary, got {type(setting).__name__}",
            "write OBSERVABILIPY = {'STORAGE': 'sqlite:///observability.db'}",
        )
        return
    for name, value in setting.items():
        if name not in KEYS:
            yield Fault(f"OBSERVABILIPY has no key {name!r}", _nearest(name), unknown=True)
            continue
        check, hint = KEYS[name]
        try:
            check(name.lower(), value)
        except Exception as error:  # noqa: BLE001 - a storage of somebody else may raise anything for its URL
            yield Fault(f"OBSERVABILIPY[{name!r}] cannot work: {error}", hint)


def _nearest(name: object) -> str:
    nearest = get_close_matches(str(name).upper(), KEYS, n=1)
    return f"write {nearest[0]!r}" if nearest else f"leave it out; there are {', '.join(KEYS)}"


def _storage(_name: str, value: object) -> None:
    if isinstance(value, str):
        open_storage(value)
    elif value is None:
        raise ConfigurationError("storage must be a storage URL or a storage, got None")


def _text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, got {value!r}")


def _auth(_name: str, value: object) -> None:
    if value is not None:
        access_guard(value, {}, lambda _: None)  # type: ignore[arg-type] # its type is what is checked


def _level(name: str, value: object) -> None:
    if not isinstance(value, str) or level_name(value) not in RANKS:
        raise ConfigurationError(f"{name} must be one of {', '.join(LEVELS)}, got {value!r}")


def _log_retention(_name: str, value: object) -> None:
    if value is not None:
        check_policies(value, RetentionPolicy.forever())


def _history_retention(_name: str, value: object) -> None:
    if value is not None:
        check_policies(LevelRetentionPolicy({}, default=RetentionPolicy.forever()), value)


def _collectors(_name: str, value: object) -> None:
    check_collectors(value)  # type: ignore[arg-type] # its type is what is checked


def _seconds(name: str, value: object) -> None:
    check_positive(name, value)  # type: ignore[arg-type] # its type is what is checked


def _boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, got {value!r}")


def _paths(name: str, value: object) -> None:
    if not isinstance(value, list | tuple | set | frozenset):
        raise ConfigurationError(f"{name} must be a list of paths, got {value!r}")
    for path in value:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ConfigurationError(f"{name} takes paths that begin with a slash, got {path!r}")


def _permission(name: str, value: object) -> None:
    if value is None or value == STAFF:
        return
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.split(".")) or "." not in value:
        raise ConfigurationError(f"{name} must be 'staff', the dotted path of a callable or None, got {value!r}")


_TOKEN = "write a token, a list of tokens, a callable or 'public', or leave it out for OBSERVABILIPY_TOKEN"  # noqa: S105 - no token
_SECONDS = "write a number of seconds, such as 0.5"
_SWITCH = "write True or False"

KEYS: Mapping[str, tuple[Callable[[str, object], None], str]] = {
    "STORAGE": (_storage, "write 'sqlite:///observability.db' or 'memory://'"),
    "SERVICE": (_text, "write a name that every log entry shall carry"),
    "AUTH": (_auth, _TOKEN),
    "METRICS_AUTH": (_auth, _TOKEN),
    "LEVEL": (_level, "write 'INFO'"),
    "LOG_RETENTION": (_log_retention, "write observabilipy.RetentionPolicy(max_age=7 * 86_400)"),
    "HISTORY_RETENTION": (_history_retention, "write observabilipy.RetentionPolicy(max_age=86_400)"),
    "FLUSH_INTERVAL": (_seconds, _SECONDS),
    "HISTORY_INTERVAL": (_seconds, _SECONDS),
    "COLLECTORS": (_collectors, "write ['process', 'python', 'library'], or [] for none"),
    "STRICT": (_boolean, _SWITCH),
    "HEALTH": (_boolean, _SWITCH),
    "CREATED": (_boolean, _SWITCH),
    "HANDLE_SIGTERM": (_boolean, _SWITCH),
    "ACCESS_LOG": (_boolean, _SWITCH),
    "REQUEST_IDS": (_boolean, _SWITCH),
    "BODY_SIZES": (_boolean, _SWITCH),
    "EXCLUDE": (_paths, "write ['/health', '/static/*']"),
    "PERMISSION": (_permission, "write 'staff', 'shop.access.may_read' or None"),
}
"""What the setting may hold: what checks each value, and what to write when it cannot work."""

_OF_RECORDER = ("ACCESS_LOG", "REQUEST_IDS", "BODY_SIZES", "EXCLUDE")
