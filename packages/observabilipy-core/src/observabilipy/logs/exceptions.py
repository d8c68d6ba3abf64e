"""Exceptions as attributes.

Source of the names: OpenTelemetry semantic conventions, "Exceptions on logs". Local variables are never included.
"""

import traceback
from types import TracebackType
from typing import TypeAlias

__all__ = ["ExceptionInfo", "exception_attributes"]

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


def _stacktrace(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    try:
        return "".join(traceback.format_exception(kind, error, trace))
    except Exception:  # noqa: BLE001 - a SyntaxError whose text is none, a cause or a loader of sources that raises
        places = [f'  File "{frame.f_code.co_filename}", line {line}\n' for frame, line in traceback.walk_tb(trace)]
        return "".join(["Traceback (most recent call last):\n", *places, f"<unprintable {kind.__name__}>\n"])
