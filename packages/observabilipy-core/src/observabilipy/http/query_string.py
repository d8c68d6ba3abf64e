"""The query string: percent-encoded bytes as pairs of text, strictly."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from observabilipy.http.problems import Problem, Refused

__all__ = ["Pair", "decoded", "split_query"]

_MAX_BYTES = 16_384
_MAX_PAIRS = 100
_STRAY_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Pair:
    """One ``key=value``, still encoded."""

    key: bytes
    value: bytes


def split_query(query: bytes) -> list[Pair]:
    """Cut a query string into its pairs.

    Raises:
        Refused: it has more than 16 KiB or more than 100 pairs.
    """
    if len(query) > _MAX_BYTES:
        raise Refused(
            Problem(
                400,
                f"the query string may have {_MAX_BYTES} bytes, got {len(query)}",
                hint="ask for less at once",
            )
        )
    pieces = [piece for piece in query.split(b"&") if piece]
    if len(pieces) > _MAX_PAIRS:
        raise Refused(
            Problem(
                400,
                f"the query string may have {_MAX_PAIRS} parameters, got {len(pieces)}",
                hint="several levels fit in one parameter: level=error,critical",
            )
        )
    return [Pair(key, value) for key, _, value in (piece.partition(b"=") for piece in pieces)]


def decoded(pair: Pair) -> tuple[str, str]:
    """Key and value as text.

    Raises:
        Refused: a percent sign that encodes nothing, or bytes that are not UTF-8.
    """
    try:
        return _text(pair.key), _text(pair.value)
    except ValueError:
        raise Refused(
            Problem(
                400,
                "a query string must be percent-encoded UTF-8",
                parameter=pair.key.decode("ascii", "backslashreplace"),
                value=pair.value.decode("ascii", "backslashreplace"),
                hint="encode text as UTF-8, each byte as %XX; a percent sign itself is %25",
            )
        ) from None


def _text(encoded: bytes) -> str:
    if _STRAY_PERCENT.search(encoded):
        raise ValueError("a percent sign that encodes nothing")
    return unquote_to_bytes(encoded.replace(b"+", b" ")).decode()
