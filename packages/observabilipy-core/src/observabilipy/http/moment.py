"""A moment as text: unix seconds or RFC 3339, read strictly."""

import re
from datetime import datetime, timedelta, timezone

from observabilipy.errors import InvalidValue
from observabilipy.models import check_timestamp

__all__ = ["parse_moment"]

# ASCII digits, no underscores, no exponents, no "nan": what float() takes is far more than what people mean.
_SECONDS = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
# RFC 3339, section 5.6. A "+" in a query string means a space, so a space before an offset is its plus.
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,20})?"
    r"(?:[Zz]|([+\- ])([0-9]{2}):([0-5][0-9]))",
    re.ASCII,
)


def parse_moment(text: str) -> float:
    """Unix seconds of a moment, kept to the microsecond.

    Raises:
        InvalidValue: it is neither unix seconds nor RFC 3339 with a zone, or outside the years 1 to 9999.
    """
    if _SECONDS.fullmatch(text):
        return check_timestamp(float(text), "a moment")
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidValue(f"a moment must be unix seconds or RFC 3339 with a zone, got {text!r}")
    try:
        year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
        whole = datetime(year, month, day, hour, minute, second, tzinfo=_zone(match))
    except ValueError as error:
        raise InvalidValue(f"a moment must exist in the calendar, got {text!r}: {error}") from None
    return check_timestamp(whole.timestamp() + float(match[7] or 0), "a moment")


def _zone(match: re.Match[str]) -> timezone:
    offset = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    return timezone(-offset if match[8] == "-" else offset)
