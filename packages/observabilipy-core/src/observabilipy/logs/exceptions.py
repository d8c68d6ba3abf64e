"""Exceptions as attributes.

Source of the names: OpenTelemetry semantic conventions, "Exceptions on logs". Local variables are never included.
"""

import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import TypeAlias

__all__ = ["ExceptionInfo", "exception_attributes", "with_exception"]

ExceptionInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


def exception_attributes(info: ExceptionInfo | tuple[None, None, None]) -> dict[str, object]:
    """``exception.type``, ``exception.message`` and ``exception.stacktrace``; nothing when there is no exception.

    Never raises for an exception, whatever it is.
    """
    kind, error, trace = info
    if kind is None or error is None:
        return {}
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; recording never does
        message = f"<unprintable {kind.__name__}>"
    return {
        "exception.type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "exception.message": message,
        "exception.stacktrace": _stacktrace(kind, error, trace),
    }


def with_exception(attributes: Mapping[str, object]) -> dict[str, object]:
    """The same attributes; of an ``exc_info`` among them, as standard logging and structlog know it, the exception.

    That is an exception, what ``sys.exc_info()`` gives, or True for the one that is being handled now. What is neither
    of these stays an attribute; False and None say nothing. Never raises.
    """
    rest = dict(attributes)
    info = rest.pop("exc_info", None)
    try:
        found = _found(info)
    except Exception:  # noqa: BLE001 - a hostile value costs itself only
        found = {"exc_info": info}
    return {**found, **rest}


def _found(info: object) -> dict[str, object]:
    if isinstance(info, int):  # True, or 1 as in older programs
        info = sys.exc_info() if info else None
    if isinstance(info, tuple) and len(info) == 3:
        info = info[1]
    if isinstance(info, BaseException):
        return exception_attributes((type(info), info, info.__traceback__))
    return {} if info is None else {"exc_info": info}


def _stacktrace(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    try:
        return "".join(traceback.format_exception(kind, error, trace))
    except Exception:  # noqa: BLE001 - a SyntaxError whose text is none, a cause or a loader of sources that raises
        places = [f'  File "{frame.f_code.co_filename}", line {line}\n' for frame, line in traceback.walk_tb(trace)]
        return "".join(["Traceback (most recent call last):\n", *places, f"<unprintable {kind.__name__}>\n"])
