"""Source: what a command reads, as a person names it."""

from pathlib import Path

from observabilipy.errors import ConfigurationError

__all__ = ["storage_url"]


def storage_url(source: str) -> str:
    """The URL of a storage that is named by its URL or its file.

    Raises:
        ConfigurationError: there is no such file.
    """
    if "://" in source:
        return source
    if not Path(source).is_file():
        raise ConfigurationError(f"there is no file {source!r}: name a storage file, a storage URL or http(s)://host")
    from urllib.parse import quote

    return f"sqlite:///{quote(source)}"
