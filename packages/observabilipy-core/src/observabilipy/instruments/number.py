"""Numbers as callers give them, made plain before they are added."""

import math

__all__ = ["finite", "plain_number"]


def plain_number(value: object) -> float | None:
    """An int or float of the same value, or None when it is no number.

    Foreign numbers (Decimal, NumPy's) are converted here, so that no method of theirs runs in the middle of an add.
    """
    if isinstance(value, int):  # bool, IntEnum, int itself
        return int(value)
    if isinstance(value, str | bytes | bytearray):
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # whatever has __float__
    except Exception:  # noqa: BLE001 - a foreign __float__ may raise anything
        return None


def finite(value: object) -> float | None:
    """The same for what must be finite, or None."""
    number = plain_number(value)
    return number if number is not None and math.isfinite(number) else None
