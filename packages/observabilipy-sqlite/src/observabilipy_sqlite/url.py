"""Storage URLs: ``sqlite:///relative.db`` and ``sqlite:////absolute.db``."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from observabilipy.errors import ConfigurationError
from observabilipy_sqlite.storage import DEFAULT_MAX_BYTES, SQLiteStorage
from observabilipy_sqlite.tiers import DEFAULT_HISTORY, history_option

__all__ = ["open_sqlite"]

_OPTIONS = ("max_bytes", "history", "synchronous")
_FORMS = "write sqlite:///relative.db or sqlite:////absolute.db"


def open_sqlite(url: str) -> SQLiteStorage:
    """Give the storage that a URL names, such as ``sqlite:///observability.db?synchronous=full&max_bytes=500000000``.

    Raises:
        ConfigurationError: no ``sqlite`` URL, a host, no path, an unknown option, or a value that cannot work.
    """
    parts = urlsplit(url)
    if parts.scheme != "sqlite":
        raise ConfigurationError(f"the URL of a SQLite storage begins with sqlite:///, got {url!r}: {_FORMS}")
    if parts.netloc:
        raise ConfigurationError(f"a SQLite storage has no host, got {parts.netloc!r} in {url!r}: {_FORMS}")
    if parts.fragment:
        raise ConfigurationError(f"a storage URL has no fragment, got {url!r}: write # as %23")
    path = unquote(parts.path).removeprefix("/")
    if path == ":memory:":
        raise ConfigurationError(
            f"a SQLite storage is a file, got {url!r}: to keep nothing beyond the process say memory://"
        )
    if not path or path.endswith("/"):
        raise ConfigurationError(f"a SQLite storage needs the path of a file, got {url!r}: {_FORMS}")
    options = _options(parts.query, url)
    history = options.get("history")
    return SQLiteStorage(
        path,
        max_bytes=_whole("max_bytes", options.get("max_bytes", str(DEFAULT_MAX_BYTES))),
        history=DEFAULT_HISTORY if history is None else history_option(history),
        synchronous=options.get("synchronous", "normal"),  # type: ignore[arg-type] # checked by SQLiteStorage
    )


def _options(query: str, url: str) -> Mapping[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    for name in options:
        if name not in _OPTIONS:
            raise ConfigurationError(f"unknown option {name!r} in {url!r}: there are {', '.join(_OPTIONS)}")
    if len(options) != len(pairs):
        raise ConfigurationError(f"an option is given twice in {url!r}: leave one out")
    return options


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ConfigurationError(
            f"{name} must be a whole number of bytes, 1 or more, got {text!r}: write max_bytes=500000000"
        )
    return int(text)
