"""Limits: how much of one process the readers of /logs may take."""

import math
from dataclasses import dataclass, fields

from observabilipy.errors import ConfigurationError
from observabilipy.models.number import is_number

__all__ = ["HEAVY_LIMIT", "Limits"]

HEAVY_LIMIT = 1_000
"""Entries of a page beyond which a query is a heavy one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one process the readers of ``/logs`` may take. The defaults leave it time for other things.

    Args:
        page_bytes: a page ends soon after so many bytes; it is held in memory until it is sent.
        page_seconds: a page ends when it was looked for so long, with what was found by then.
        heavy_queries: answered at once. Heavy are ``limit=all``, more than 1,000 entries a page, ``q`` and ``attr.*``.
        followers: served at once. Under a synchronous server each of them occupies a thread.
        follow_seconds: how long one is served; below the 30 s after which gunicorn gives a silent worker up.
        poll_seconds: between two looks into the store for a follower.
        keep_alive_seconds: a follower that gets nothing for so long gets an empty line.

    Raises:
        ConfigurationError: one that is not positive, or no whole number where things are counted.
    """

    page_bytes: int = 8 * 2**20
    page_seconds: float = 5.0
    heavy_queries: int = 4
    followers: int = 8
    follow_seconds: float = 25.0
    poll_seconds: float = 0.25
    keep_alive_seconds: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = isinstance(field.default, int)
            if not is_number(value) or not math.isfinite(value) or value <= 0 or (whole and type(value) is not int):
                rule = "a whole number of 1 or more" if whole else "a positive number of seconds"
                raise ConfigurationError(f"{field.name} must be {rule}, got {value!r}: the default is {field.default}")
