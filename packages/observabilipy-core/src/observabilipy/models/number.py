"""What counts as a number: the same for every value."""

import sys
from typing import TypeGuard

__all__ = ["is_number"]

_LARGEST = int(sys.float_info.max)


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is an int or a float, NaN and infinities included; a bool is not, nor an int beyond every float."""
    if isinstance(value, float):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST
