"""open_storage: from a URL to a storage, whichever package it is in."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

from observabilipy.errors import ConfigurationError, StorageNotInstalled

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from observabilipy.ports import LogStoragePort, MetricsStoragePort, RuntimeStoragePort

__all__ = ["open_storage", "opened"]

_Opener: TypeAlias = "Callable[[str], RuntimeStoragePort]"

_GROUP = "observabilipy.storage"
_BUILT_IN = ("memory", "ring")  # there even without package metadata
_DISTRIBUTIONS = {"sqlite": "observabilipy-sqlite"}


def open_storage(url: str) -> "RuntimeStoragePort":
    """Open a storage by its URL, such as ``memory://`` or ``sqlite:///observability.db``.

    Other packages join by an entry point in the group ``observabilipy.storage``: its name is the scheme, its value a
    function from the URL to the storage.

    Raises:
        ConfigurationError: no URL, an unknown scheme, or options that the storage does not know.
        StorageNotInstalled: the scheme belongs to a package that is not installed.
    """
    scheme, separator, _ = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not separator or not scheme:
        raise ConfigurationError(
            f"a storage URL looks like 'sqlite:///observability.db' or 'memory://', got {url!r}:"
            " for a file write three slashes before its path"
        )
    return _opener(scheme)(url)


def opened(
    storage: "str | LogStoragePort | tuple[LogStoragePort, MetricsStoragePort]",
) -> "tuple[LogStoragePort, MetricsStoragePort | None]":
    """Where logs go, and metrics if that is another place: of a URL, a storage, or two of them.

    Raises:
        ConfigurationError: it is none of these; see ``open_storage``.
    """
    if isinstance(storage, str):
        return open_storage(storage), None
    if isinstance(storage, tuple) and len(storage) == 2:
        return storage
    from observabilipy.ports import LogStoragePort

    if not isinstance(storage, LogStoragePort):
        raise ConfigurationError(
            f"storage must be a storage URL or a storage, got {storage!r}: write for example 'sqlite:///observability.db'"
        )
    return storage, None


def _opener(scheme: str) -> _Opener:
    if scheme in _BUILT_IN:
        from observabilipy.storage.memory import open_memory, open_ring

        return open_memory if scheme == "memory" else open_ring
    installed = _installed()
    if scheme in installed:
        return cast("_Opener", installed[scheme].load())
    if scheme in _DISTRIBUTIONS:
        raise StorageNotInstalled(f'no storage adapter for "{scheme}://": pip install {_DISTRIBUTIONS[scheme]}')
    schemes = ", ".join(f"{name}://" for name in sorted({*_BUILT_IN, *installed, *_DISTRIBUTIONS}))
    raise ConfigurationError(f'no storage adapter for "{scheme}://": use one of {schemes}')


def _installed() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=_GROUP)}
