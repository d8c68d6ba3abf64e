"""Checks: what ``manage.py check`` says about the settings, with a hint for each.

E001 unknown key; E002 a value that cannot work; E003 a permission that cannot be imported; E004 the storage's file is
served to everyone; E005 there is no place for that file; E006 the token of the environment cannot work; W001
middleware missing; W002 middleware not first. With ``--deploy`` also: W003 nobody may read; W004 everyone may read;
W005 a storage that each worker has for itself.
"""

import os
from collections.abc import Iterator
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from observabilipy.errors import ConfigurationError
from observabilipy.http.access import access_guard
from observabilipy.storage import open_storage
from observabilipy_django.configuration import STAFF, faults

__all__ = [
    "check_access",
    "check_files",
    "check_middleware",
    "check_setting",
    "check_sharing",
    "check_token",
    "register",
]

_TAG = "observabilipy"
_MIDDLEWARE = "observabilipy_django.middleware.ObservabilityMiddleware"
_TOKENS = ("OBSERVABILIPY_TOKEN", "OBSERVABILIPY_TOKEN_FILE")
_OF_ONE_PROCESS = ("memory://", "ring://")

_Found = list[checks.CheckMessage]


def register() -> None:
    """Let ``manage.py check`` run them."""
    checks.register(check_setting, _TAG)
    checks.register(check_middleware, _TAG)
    checks.register(check_files, _TAG, checks.Tags.files, checks.Tags.security)
    checks.register(check_token, _TAG, checks.Tags.security)
    checks.register(check_access, _TAG, checks.Tags.security, deploy=True)
    checks.register(check_sharing, _TAG, checks.Tags.compatibility, deploy=True)


def check_setting(**_about: object) -> _Found:
    """Keys that exist, with values that can work."""
    found: _Found = [
        checks.Error(fault.message, hint=fault.hint, id=f"{_TAG}.{'E001' if fault.unknown else 'E002'}")
        for fault in faults(getattr(settings, "OBSERVABILIPY", {}))
    ]
    permission = _setting().get("PERMISSION", STAFF)
    if not found and permission not in {STAFF, None}:
        try:
            usable = callable(called := import_string(permission)) and not iscoroutinefunction(called)
            problem = "is no plain function"
        except Exception as error:  # noqa: BLE001 - importing runs the application's code
            usable, problem = False, f"cannot be imported: {error}"
        if not usable:
            found.append(
                checks.Error(
                    f"OBSERVABILIPY['PERMISSION'] {permission!r} {problem}",
                    hint="name a function (HttpRequest) -> bool by its dotted path; until then only tokens let in",
                    id=f"{_TAG}.E003",
                )
            )
    return found


def check_middleware(**_about: object) -> _Found:
    """The middleware is there, and sees every request first and every answer last."""
    middleware = list(settings.MIDDLEWARE)
    if _MIDDLEWARE not in middleware:
        return [
            checks.Warning(
                "requests are not recorded: MIDDLEWARE lacks observabilipy's",
                hint=f"put {_MIDDLEWARE!r} first in MIDDLEWARE",
                id=f"{_TAG}.W001",
            )
        ]
    if middleware[0] != _MIDDLEWARE:
        return [
            checks.Warning(
                f"requests that {middleware[0]!r} answers itself are not recorded, and its time is not measured",
                hint=f"put {_MIDDLEWARE!r} first in MIDDLEWARE",
                id=f"{_TAG}.W002",
            )
        ]
    return []


def check_files(**_about: object) -> _Found:
    """The storage's file has a place, and lies where nothing is served from."""
    file = _file()
    if file is None:
        return []
    found: _Found = []
    if file.is_dir() or not file.parent.is_dir():
        problem = "is a directory" if file.is_dir() else f"cannot be made: there is no directory {str(file.parent)!r}"
        found.append(
            checks.Error(
                f"the storage's file {str(file)!r} {problem}",
                hint="make the directory, for the user that the workers run as, or write another path after 'sqlite:///'",
                id=f"{_TAG}.E005",
            )
        )
    return found + [
        checks.Error(
            f"the storage's file {str(file)!r} lies below {name} ({str(directory)!r}), which is served to everyone",
            hint="write another path after 'sqlite:///' in OBSERVABILIPY['STORAGE']",
            id=f"{_TAG}.E004",
        )
        for name, directory in _served()
        if file.is_relative_to(directory)
    ]


def check_token(**_about: object) -> _Found:
    """The token that the environment gives, where the setting gives none, can be used."""
    if _setting().get("AUTH") is not None:
        return []
    try:
        access_guard(None, os.environ, lambda _: None)
    except ConfigurationError as error:
        return [checks.Error(str(error), hint="until then the endpoints answer 500", id=f"{_TAG}.E006")]
    return []


def check_access(**_about: object) -> _Found:
    """Somebody decided who may read, and not that everyone may."""
    setting = _setting()
    auth = setting.get("AUTH")
    if isinstance(auth, str) and auth == "public":
        return [
            checks.Warning(
                "everyone who reaches this service may read its logs: OBSERVABILIPY['AUTH'] is 'public'",
                hint="write a token, or leave it out and set OBSERVABILIPY_TOKEN; METRICS_AUTH may still be 'public'",
                id=f"{_TAG}.W004",
            )
        ]
    permission = setting.get("PERMISSION", STAFF)
    by_permission = apps.is_installed("django.contrib.auth") if permission == STAFF else permission is not None
    if auth is None and not by_permission and not any(name in os.environ for name in _TOKENS):
        return [
            checks.Warning(
                "nobody may read metrics and logs: no token is set, and no permission lets anyone in",
                hint="set OBSERVABILIPY_TOKEN or OBSERVABILIPY_TOKEN_FILE, or OBSERVABILIPY['AUTH']",
                id=f"{_TAG}.W003",
            )
        ]
    return []


def check_sharing(**_about: object) -> _Found:
    """All workers share a storage."""
    storage = _setting().get("STORAGE", "memory://")
    if not isinstance(storage, str) or not storage.startswith(_OF_ONE_PROCESS):
        return []
    return [
        checks.Warning(
            f"each worker counts for itself, and forgets when it ends: OBSERVABILIPY['STORAGE'] is {storage!r}",
            hint="write 'sqlite:////var/lib/shop/observability.db', and pip install observabilipy-sqlite",
            id=f"{_TAG}.W005",
        )
    ]


def _setting() -> dict[str, Any]:  # Any: nothing is known about the values before they are checked
    setting = getattr(settings, "OBSERVABILIPY", {})
    return setting if isinstance(setting, dict) else {}


def _file() -> Path | None:
    """The file of the storage, which is asked where it is, not opened."""
    storage = _setting().get("STORAGE", "memory://")
    try:
        path = getattr(open_storage(storage) if isinstance(storage, str) else storage, "path", None)
    except Exception:  # noqa: BLE001 - whatever a URL's storage raises, check_setting tells it
        return None
    return Path(path).resolve() if isinstance(path, str | os.PathLike) else None


def _served() -> Iterator[tuple[str, Path]]:
    for name in ("STATIC_ROOT", "MEDIA_ROOT"):
        directory = getattr(settings, name, None)
        if directory:
            yield name, Path(directory).resolve()
    for entry in getattr(settings, "STATICFILES_DIRS", ()):
        directory = entry[1] if isinstance(entry, list | tuple) else entry  # perhaps with a prefix before it
        yield "STATICFILES_DIRS", Path(directory).resolve()
