"""Access: who may read, decided once when the endpoints are made and asked at every request.

Everything here fails closed: no decision, a callable that raises, or an answer that is not True keep a client out.
"""

import binascii
import hmac
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from observabilipy.errors import ConfigurationError
from observabilipy.http.message import Request
from observabilipy.http.problems import Problem, Refused

__all__ = ["Auth", "Guard", "access_guard", "public"]

Auth: TypeAlias = str | Iterable[str] | Callable[[Request], bool | Awaitable[bool]] | None
"""A token, several tokens, a callable, ``"public"``, or None for what the environment says."""

Guard: TypeAlias = Callable[[Request], Awaitable[None]]
"""Lets a request pass, or raises Refused."""

_TOKEN = "OBSERVABILIPY_TOKEN"  # noqa: S105 - the name of a variable, not a token
_TOKEN_FILE = "OBSERVABILIPY_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a token

_UNDECIDED = Problem(
    403,
    "nobody decided yet who may read this",
    hint=f"set {_TOKEN} or {_TOKEN_FILE}, or pass auth=<token>; auth='public' opens it to everyone",
)
_UNAUTHORIZED = Problem(
    401,
    "a valid token is required",
    hint="send 'Authorization: Bearer <token>', or the token as the Basic password of any user",
    headers=((b"www-authenticate", b"Bearer"), (b"www-authenticate", b'Basic realm="observabilipy"')),
)
_FORBIDDEN = Problem(403, "this request is not allowed to read this", hint="ask whoever runs this service for access")


def access_guard(auth: Auth, environ: Mapping[str, str], on_error: Callable[[Exception], None]) -> Guard:
    """Turn the decision into a guard.

    Args:
        auth: tokens are accepted as Bearer, or as the Basic password of any user; a missing or wrong one is a 401. A
            callable lets a request in by giving True; anything else is a 403, whether credentials were sent or not,
            because only the callable knows which ones it wanted. None takes the tokens from ``OBSERVABILIPY_TOKEN``,
            or from the lines of the file named by ``OBSERVABILIPY_TOKEN_FILE``; without either everything is a 403.
        environ: where the two variables are.
        on_error: told about an exception of the callable, which keeps the request out.

    Raises:
        ConfigurationError: an empty token, no token in a list or file, a file that cannot be read, both variables.
    """
    if auth is None:
        tokens = _environment_tokens(environ)
        return _refusing(_UNDECIDED) if tokens is None else _token_guard(tokens)
    if isinstance(auth, str):
        return public if auth == "public" else _token_guard([_checked_token(auth, "auth")])
    if callable(auth):
        return _callable_guard(auth, on_error)
    if isinstance(auth, bytes | bytearray | Mapping) or not isinstance(auth, Iterable):
        raise ConfigurationError(
            f"auth must be a token, several tokens, a callable or 'public', got {type(auth).__name__}"
        )
    return _token_guard(_some([_checked_token(token, "auth") for token in auth], "auth holds no token"))


async def public(_request: Request) -> None:
    """Let everyone in."""


def _refusing(problem: Problem) -> Guard:
    async def refuse(_request: Request) -> None:
        raise Refused(problem)

    return refuse


def _token_guard(tokens: Iterable[str]) -> Guard:
    # Digests have one length, so the comparison does not tell how long a token is.
    digests = [sha256(token.encode()).digest() for token in tokens]

    async def check(request: Request) -> None:
        sent = sha256(_sent_token(request)).digest()
        known = False
        for digest in digests:  # all of them: the time must not tell which token it was
            known |= hmac.compare_digest(sent, digest)
        if not known:
            raise Refused(_UNAUTHORIZED)

    return check


def _callable_guard(auth: Callable[[Request], bool | Awaitable[bool]], on_error: Callable[[Exception], None]) -> Guard:
    async def ask(request: Request) -> None:
        try:
            answer = auth(request)
            allowed = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:  # noqa: BLE001 - the application's own code may raise anything
            on_error(error)
            allowed = False
        if allowed is not True:
            raise Refused(_FORBIDDEN)

    return ask


def _sent_token(request: Request) -> bytes:
    """The token that came with a request; b"", which no token equals, when there is none or it is malformed."""
    credentials = request.values(b"authorization")
    if len(credentials) != 1:
        return b""
    scheme, _, rest = credentials[0].strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        try:
            return binascii.a2b_base64(rest.strip(), strict_mode=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _environment_tokens(environ: Mapping[str, str]) -> list[str] | None:
    token, file = environ.get(_TOKEN), environ.get(_TOKEN_FILE)
    if token is not None and file is not None:
        raise ConfigurationError(f"{_TOKEN} and {_TOKEN_FILE} are both set: keep one of them")
    if token is not None:
        return [_checked_token(token, _TOKEN)]
    return None if file is None else _file_tokens(file)


def _file_tokens(file: str) -> list[str]:
    try:
        text = Path(file).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{_TOKEN_FILE} must name a readable text file, got {file!r}: {error}") from None
    tokens = [_checked_token(line, _TOKEN_FILE) for line in text.splitlines() if line.strip()]
    return _some(tokens, f"{_TOKEN_FILE} holds no token, got an empty file {file!r}: write one token a line")


def _some(tokens: list[str], rule: str) -> list[str]:
    if not tokens:
        raise ConfigurationError(rule)
    return tokens


def _checked_token(token: str, source: str) -> str:
    """The token without surrounding white space; messages never show it."""
    if not isinstance(token, str):
        raise ConfigurationError(f"a token of {source} must be a string, got {type(token).__name__}")
    stripped = token.strip()
    if not stripped:
        raise ConfigurationError(f"a token of {source} must not be empty or blank: give it one, or leave it out")
    if not stripped.isprintable():
        raise ConfigurationError(f"a token of {source} must hold printable characters only: no header carries others")
    return stripped
