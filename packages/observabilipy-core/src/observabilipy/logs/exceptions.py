"""Exceptions as attributes.

Source of the names: OpenTelemetry semantic conventions, "Exceptions on logs". Local variables are never included.
"""

import traceback
from types import TracebackType
from typing import TypeAlias

__all__ = ["ExceptionInfo", "exception_attributes"]

ExceptionInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


def exception_attributes(info: ExceptionInfo | tuple[None, None, None]) -> dict[str, object]:
    """``exception.type``, ``exception.message`` and ``exception.stacktrace``; nothing when there is no exception."""
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
        "exception.stacktrace": "".join(traceback.format_exception(kind, error, trace)),
    }
