"""Numbers as callers give them, made plain before they are added."""

import sys

__all__ = ["LARGEST", "finite", "itself", "plain_number", "shown"]

LARGEST = sys.float_info.max
"""The largest number that every store and format can carry; integers know no end by themselves."""

_SHOWN = 80


def plain_number(value: object) -> float | None:
    """An int or float of the same value, or None when it is no number, or an integer beyond all floats.

    Foreign numbers (Decimal, NumPy's) are converted here, so that no method of theirs runs in the middle of an add.
    """
    if isinstance(value, str | bytes | bytearray):
        return None
    try:
        number = itself(value)
        if isinstance(number, int):
            return number if -LARGEST <= number <= LARGEST else None
        return float(number)  # type: ignore[arg-type]  # whatever has __float__
    except Exception:  # noqa: BLE001 - a foreign __float__ may raise anything
        return None


def itself(value: object) -> object:
    """An int or float without the methods of a subclass (bool, IntEnum, float64 of NumPy); other things as they are."""
    if isinstance(value, int):
        return int.__pos__(value)
    return float.__pos__(value) if isinstance(value, float) else value


def finite(value: object) -> float | None:
    """The same for what must be finite, or None."""
    number = plain_number(value)
    return number if number is not None and -LARGEST <= number <= LARGEST else None


def shown(value: object) -> str:
    """A refused value for a message: short, and whatever it is."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign __repr__ may raise anything, and integers may be too long to print
        text = f"<unprintable {type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
