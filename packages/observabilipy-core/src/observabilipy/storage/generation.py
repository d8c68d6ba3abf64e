"""The name that a store's life has in its cursors."""

import base64
import os
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Randomness", "new_generation"]

Randomness: TypeAlias = Callable[[int], bytes]
"""A function that gives so many random bytes, such as ``os.urandom``."""


def new_generation(randomness: Randomness = os.urandom) -> str:
    """Eight characters of [a-z2-7]: 40 random bits."""
    return base64.b32encode(randomness(5)).decode("ascii").lower()
