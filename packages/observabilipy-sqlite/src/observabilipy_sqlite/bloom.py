"""Filters: which attributes a segment may have, so that looking for one request id unpacks few segments.

Each is a Bloom filter of ten bits and seven probes for each pair of a name and a value, which says "perhaps" of one in
a hundred pairs that are not there. Source: B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors",
1970; two hashes serve for all probes: A. Kirsch and M. Mitzenmacher, "Less hashing, same performance", 2006.
"""

import re
import zlib
from collections.abc import Iterable
from hashlib import blake2b

from observabilipy.encoding.json_text import json_text
from observabilipy_sqlite.values import escaped

__all__ = ["filter_of", "may_have", "pairs_of"]

_BITS = 10
_PROBES = 7
_MOST_PAIRS = 20_000  # 25 KB; with more of them a segment is unpacked
_CHECKSUM_BYTES = 4

# A string alone is consumed as a whole, so that a match begins at the quote that begins a string.
_STRING = rb'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rb"(%s:(?:%s|-?\d+(?![\d.eE])|true|false|null))|%s" % (_STRING, _STRING, _STRING))
_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)


def filter_of(attributes: bytes) -> bytes | None:
    """The filter for JSON objects, joined in any way; None when it would be too large."""
    pairs = set(_PAIR.findall(attributes)) - {b""}
    if len(pairs) > _MOST_PAIRS:
        return None
    bits = bytearray(max(8, -(-len(pairs) * _BITS // 8)))
    for pair in pairs:
        for place in _places(pair, len(bits) * 8):
            bits[place >> 3] |= 1 << (place & 7)
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
    if zlib.crc32(bits) != int.from_bytes(filter_[:_CHECKSUM_BYTES], "little"):
        return True
    return all(any(_has(bits, pair) for pair in pairs) for pairs in wanted)


def _has(bits: bytes, pair: bytes) -> bool:
    return all(bits[place >> 3] >> (place & 7) & 1 for place in _places(pair, len(bits) * 8))


def _places(pair: bytes, size: int) -> list[int]:
    hashes = int.from_bytes(blake2b(pair, digest_size=8).digest(), "little")
    first, step = hashes & 0xFFFFFFFF, hashes >> 32 | 1
    return [(first + probe * step) % size for probe in range(_PROBES)]
