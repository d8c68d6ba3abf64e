"""Source: what a command reads, as a person names it."""

from pathlib import Path

from observabilipy.errors import ConfigurationError

__all__ = ["storage_url"]


def storage_url(source: str) -> str:
    """The URL of a storage that is named by its URL or its file.

    Raises:
        ConfigurationError: there is no such file.
    """
    from urllib.parse import quote, unquote, urlsplit

    url = source if "://" in source else f"sqlite:///{quote(source)}"
    if url.startswith("sqlite:///") and not Path(unquote(urlsplit(url).path)[1:]).is_file():
        raise ConfigurationError(f"there is no file {source!r}: name a storage file, a storage URL or http(s)://host")
    return url  # a storage that is opened to be read would make a file that is not there
