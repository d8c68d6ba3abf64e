"""Source: what a command reads, as a person names it: a file, the URL of a storage, or a service."""

import os
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, unquote, urlsplit

from observabilipy.awaiting import await_here
from observabilipy.command import WrongUsage
from observabilipy.errors import ConfigurationError, ObservabilityError
from observabilipy.ports import RuntimeStoragePort
from observabilipy.storage import open_storage

__all__ = ["Answer", "Source", "is_service", "opened_source", "opened_storage", "storage_url", "with_storage"]

T = TypeVar("T")

_TOKEN = "OBSERVABILIPY_TOKEN"  # noqa: S105 - the name of a variable, not a token
_TOKEN_FILE = "OBSERVABILIPY_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ``/logs`` or ``/metrics``: headers by their names in lower case, and the body in pieces."""

    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    close: Callable[[], None] = field(default=lambda: None)

    def lines(self) -> Iterator[bytes]:
        """Whole lines, each with its line feed, without empty ones. A line that breaks off is none."""
        rest = b""
        try:
            for chunk in self.chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield line + b"\n"
        finally:
            self.close()

    def pieces(self) -> Generator[bytes, None, None]:
        """The body as it comes, but each piece ends with a line. A line that breaks off is none."""
        rest = b""
        try:
            for chunk in self.chunks:
                if rest or not chunk.endswith(b"\n"):
                    lines, feed, rest = (rest + chunk).rpartition(b"\n")
                    if feed:
                        yield lines + feed
                else:
                    yield chunk
        finally:
            self.close()


class Source(Protocol):
    """What answers ``/logs`` and ``/metrics``: a service, or our own endpoints over a storage."""

    def get(self, path: str, query: str = "") -> Answer:
        """Ask.

        Raises:
            ServiceAway: it does not answer now.
            ObservabilityError: what else is wrong, with the next step.
        """
        ...


def is_service(source: str) -> bool:
    """Whether this is the address of a service."""
    return source.startswith(("http://", "https://"))


def storage_url(source: str, *, make: bool = False) -> str:
    """The URL of a storage that is named by its URL or its file.

    Raises:
        ConfigurationError: there is no such file, and it shall not be made; or its name is no text.
    """
    try:
        url = source if "://" in source else f"sqlite:///{quote(source)}"
    except UnicodeEncodeError:
        raise ConfigurationError(f"the name of a storage must be text in UTF-8, got {source!r}: rename it") from None
    if url.startswith("sqlite:///") and not make:
        path = Path(unquote(urlsplit(url).path)[1:])
        if not path.is_file():  # a storage that is opened to be read would make it
            raise ConfigurationError(
                f"there is no file {source!r}: name the file of a service, a storage URL such as"
                " sqlite:///observability.db, or http(s)://host/prefix"
            )
        if not path.stat().st_size:
            raise ConfigurationError(f"the file {source!r} is empty: nothing has been recorded there yet")
    return url


@contextmanager
def opened_storage(source: str, verb: str, *, make: bool = False, instead: str = "") -> Iterator[RuntimeStoragePort]:
    """The storage that is named, closed afterwards.

    Raises:
        ConfigurationError: it is a service, or it cannot be opened; the message says what to do.
    """
    if is_service(source):
        raise WrongUsage(
            f"{verb} needs the storage itself, got {source!r}: name its file or URL{instead and f', or {instead}'}"
        )
    storage = open_storage(storage_url(source, make=make))
    try:
        yield storage
    finally:
        storage.close()


def with_storage(
    source: str,
    verb: str,
    work: Callable[[RuntimeStoragePort], Coroutine[Any, Any, T]],  # Any: what it yields is its loop's business
    instead: str = "",
) -> T:
    """What comes of some work on the storage that is named."""
    with opened_storage(source, verb, instead=instead) as storage:
        return await_here(work(storage))


@contextmanager
def opened_source(source: str, token_file: str | None = None) -> Iterator[Source]:
    """Where ``/logs`` and ``/metrics`` are asked for: at a service, or here, of a storage."""
    if is_service(source):
        from observabilipy.commands.service import Service

        yield Service(source, _token(token_file))
        return
    with opened_storage(source, "this") as storage:
        yield _Local(storage)


class _Local:
    """Our own endpoints over a storage: what a service would answer, to the byte."""

    def __init__(self, storage: RuntimeStoragePort) -> None:
        from observabilipy.http import Endpoints

        self._errors: list[Exception] = []
        self._endpoints = Endpoints(storage, auth="public", on_error=self._errors.append)

    def get(self, path: str, query: str = "") -> Answer:
        from observabilipy.commands.service import refusal
        from observabilipy.http import Request

        response = self._endpoints.handle_sync(Request("GET", path, query.encode()))
        if response.status != 200:
            text = b"".join(response.body)
            told = self._errors.pop() if self._errors else None
            if isinstance(told, ObservabilityError):
                raise told
            raise ObservabilityError(refusal(response.status, text)) from told
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        return Answer(headers, iter(response.body), response.body.close)


def _token(token_file: str | None) -> str:
    """The token for services: from a file that is named, or from the variables.

    Raises:
        ConfigurationError: a file that cannot be read or is empty, or both variables.
    """
    token, file = os.environ.get(_TOKEN), token_file or os.environ.get(_TOKEN_FILE)
    if token is not None and file is not None and token_file is None:
        raise ConfigurationError(f"{_TOKEN} and {_TOKEN_FILE} are both set: keep one of them")
    try:
        found = (token or "").strip() if file is None else Path(file).read_text(encoding="utf-8").split()[0]
    except (OSError, ValueError, IndexError) as error:
        raise ConfigurationError(
            f"the token file {file!r} cannot be read: {error}: write the token into it, on a line of its own"
        ) from None
    if not found.isprintable():
        raise ConfigurationError("the token must hold printable characters only: no header carries others")
    return found
