"""Checks: the checksums of the rows that tell of segments, and of the columns themselves. All are CRC-32."""

import struct
import zlib

__all__ = ["columns_checksum", "head_checksum", "share_checksum"]

_HEAD = struct.Struct("<8q")
_SHARE = struct.Struct("<5q")


def head_checksum(*numbers: int) -> int:
    """Of the numbers of a segment, as its row has them: 0.3 microseconds."""
    return zlib.crc32(_HEAD.pack(*numbers))


def share_checksum(first: int, share: tuple[str, int, int, int, int]) -> int:
    """Of what a segment has of one level."""
    level, *numbers = share
    return zlib.crc32(level.encode(), zlib.crc32(_SHARE.pack(first, *numbers)))


def columns_checksum(names: str, *columns: bytes) -> int:
    """Of the names of levels and the columns, one after the other, as they lie in the file."""
    checksum = zlib.crc32(names.encode())
    for column in columns:
        checksum = zlib.crc32(column, checksum)
    return checksum
