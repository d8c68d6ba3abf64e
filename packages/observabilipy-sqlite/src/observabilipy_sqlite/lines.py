"""Lines of NDJSON, put together by SQL from what the file holds."""

import sqlite3

from observabilipy.encoding.ndjson import encode_stored
from observabilipy.models import LogQuery
from observabilipy_sqlite.pages import Stretch, selection

__all__ = ["lines_of"]

# The line of encode_stored is the pattern, so these have the very bytes that it would have made:
# {"cursor":"%s-%d","timestamp":%s%d.%s,"level":"%s","message":"%s","attributes":%s}, and a line feed.
_PATTERN = encode_stored("%s-%d", 0, "%s", "%s", "%s").decode().replace('"timestamp":0.0', '"timestamp":%s%d.%s')

# As many of six decimals as there are, at least one. Nine of ten timestamps have six, and do not pay for the rest.
_DECIMALS = (
    "iif(timestamp % 10, printf('%06d', abs(timestamp) % 1000000),"
    " printf('%d', abs(timestamp) % 1000000 / 100000) || rtrim(printf('%05d', abs(timestamp) % 100000), '0'))"
)

# printf takes half the time of a chain of ||, which copies the line at each step. Its %s would end at a NUL; there is
# none in what is escaped.
_LINE = (
    f"printf('{_PATTERN}', ?, position, iif(timestamp < 0, '-', ''), abs(timestamp) / 1000000, {_DECIMALS},"
    " level, message, attributes) AS line"
)


def lines_of(connection: sqlite3.Connection, query: LogQuery, generation: str, wanted: Stretch) -> bytes:
    """The lines of a stretch that has rows, made in one step of SQLite, in which other threads run: 1 us each.

    SQLite takes care that group_concat sees the order of a subquery: in its select.c, an ORDER BY stays in a subquery
    that has a LIMIT, and in any under group_concat.
    """
    select, parameters = selection(query, wanted, _LINE)
    (lines,) = connection.execute(
        f"SELECT CAST(group_concat(line, '') AS BLOB) FROM ({select})",  # noqa: S608 - our own text
        (generation, *parameters),
    ).fetchone()
    return bytes(lines)
