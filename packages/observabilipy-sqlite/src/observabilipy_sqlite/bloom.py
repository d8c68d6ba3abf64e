"""Filters: which attributes a segment may have, so that looking for one request id unpacks few segments.

Each is a Bloom filter of twelve bits and three probes for each pair of a name and a value, which says "perhaps" of one
in a hundred pairs that are not there. Source: B. H. Bloom, "Space/time trade-offs in hash coding with allowable
errors", 1970; one hash serves for all probes: A. Kirsch and M. Mitzenmacher, "Less hashing, same performance", 2006.
"""

import re
import zlib
from collections.abc import Iterable
from itertools import islice

from observabilipy.encoding.json_text import json_text
from observabilipy_sqlite.turns import pause
from observabilipy_sqlite.values import escaped

__all__ = ["filter_of", "may_have", "pairs_of"]

_BITS = 12
_MOST_PAIRS = 20_000  # 30 KB; with more of them a segment is unpacked
_CHECKSUM_BYTES = 4

# Half a millisecond of work, and then a turn for others; a filter takes 2.
_SOME_BYTES = 32_768
_SOME_PAIRS = 1_000

# Strings are consumed as a whole, so that each match begins at the quote that begins one. Those that are no name come
# along; they do no harm.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_PAIR = re.compile(rb"%s(?::(?:%s|-?\d+(?![\d.eE])|true|false|null))?" % (_STRING, _STRING))
_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
_DIGITS = bytes.maketrans(b"\0\1", b"01")


def filter_of(attributes: bytes) -> bytes | None:
    """The filter for JSON objects, joined by line feeds; None when it would be too large."""
    pairs: set[bytes] = set()
    start = 0
    while start < len(attributes) and len(pairs) <= _MOST_PAIRS:
        end = attributes.find(b"\n", start + _SOME_BYTES) + 1 or len(attributes)
        pairs.update(_PAIR.findall(attributes, start, end))
        start = end
        pause()
    if len(pairs) > _MOST_PAIRS:
        return None
    size = max(64, -(-len(pairs) * _BITS // 8) * 8)
    flags = bytearray(size)  # a byte for each bit: a third of the time
    rest = iter(pairs)
    while some := list(islice(rest, _SOME_PAIRS)):
        for pair in some:
            hashed = zlib.crc32(pair)
            step = hashed >> 16 | 1
            flags[hashed % size] = flags[(hashed + step) % size] = flags[(hashed + 2 * step) % size] = 1
        pause()
    bits = int(flags.translate(_DIGITS), 2).to_bytes(size // 8, "big")
    return zlib.crc32(bits).to_bytes(_CHECKSUM_BYTES, "little") + bits


def pairs_of(name: str, value: str) -> list[bytes] | None:
    """How an attribute that is asked for may lie in the file, one of these; None where nobody can tell."""
    if value.startswith(("[", "{")):
        return None
    spellings = [f'"{escaped(value)}"']
    if _INTEGER.fullmatch(value) or value in {"true", "false", "null"}:
        spellings.append(value)
    else:
        try:
            float(value)
        except ValueError:
            pass
        else:
            return None
    return [f"{json_text(name)}:{spelling}".encode() for spelling in spellings]


def may_have(filter_: bytes | None, wanted: Iterable[list[bytes]]) -> bool:
    """Whether there may be one of the pairs of each list. Of no filter, and of one that is damaged, nobody knows."""
    if filter_ is None:
        return True
    bits = filter_[_CHECKSUM_BYTES:]
    if not bits or zlib.crc32(bits) != int.from_bytes(filter_[:_CHECKSUM_BYTES], "little"):
        return True
    return all(any(_has(bits, pair) for pair in pairs) for pairs in wanted)


def _has(bits: bytes, pair: bytes) -> bool:
    size = len(bits) * 8
    hashed = zlib.crc32(pair)
    step = hashed >> 16 | 1
    places = (hashed % size, (hashed + step) % size, (hashed + 2 * step) % size)
    return all(bits[place >> 3] << (place & 7) & 0x80 for place in places)
