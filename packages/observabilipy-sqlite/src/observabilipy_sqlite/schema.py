"""What the file holds: the tables, and the settings of every connection to it."""

import contextlib
import secrets
import sqlite3
import time
from typing import Literal, TypeAlias

from observabilipy.errors import ConfigurationError, StorageRefused
from observabilipy_sqlite.connection import BUSY_SECONDS

__all__ = ["Synchronous", "check_library", "is_ours", "lacks_columns", "prepare"]

Synchronous: TypeAlias = Literal["normal", "full"]
"""When SQLite waits for the disk: at checkpoints, or at every commit."""

_APPLICATION_ID = 0x6F627379  # "obsy"

_MAJOR = 4
"""Who reads another one would misunderstand it. 1 to 3 were of development versions, and no thousands."""

_UPGRADES: tuple[tuple[str, ...], ...] = ()
"""The statements that make minor 1 of minor 0, those that make 2 of it, and so on.

Who knows a lower minor goes on reading and writing beside who made them: a new column has a default, a new table holds
what the others can do without, a new codec is passed over. What that cannot express is a new major.
"""

_THOUSAND = 1_000  # user_version is major * 1000 + minor
_OLDEST_LIBRARY = (3, 37, 0)  # STRICT tables

_OF_A_NEW_FILE = (
    # What SQLite takes by itself, unless it was built otherwise. 8 and 16 KiB made the log neither smaller nor faster.
    "PRAGMA page_size = 4096",
    # Free pages are used again, and the file never shrinks: one at its cap goes on while others fill the disk.
    "PRAGMA auto_vacuum = NONE",
)

# At their default on purpose: cache_size, 2 MB a connection, since from 2 to 64 MB nothing became faster; and locking
# by each transaction, since the file is for many. The WAL is switched on in _use_wal; how long a connection waits for
# a lock (BUSY_SECONDS) is said when it is made, because already the first pragma may have to wait.
_PRAGMAS = (
    # A mapped file that somebody truncates is a SIGBUS instead of an error. Scans took a tenth less time with it.
    "PRAGMA mmap_size = 0",
    # Commits and checkpoints of two connections must never overlap: SQLite before 3.51.3 may lose commits then ("The
    # WAL Reset Bug", sqlite.org/wal.html). All checkpoints are those of Database.checkpoint, under the write lock.
    "PRAGMA wal_autocheckpoint = 0",
    # Let the WAL shrink to this when it begins anew after a burst.
    "PRAGMA journal_size_limit = 4194304",
    # Some builds overwrite deleted rows with zeros, which makes retention ten times dearer. Logs are no secrets vault.
    "PRAGMA secure_delete = OFF",
    # Sorting must work where /tmp is full or read-only.
    "PRAGMA temp_store = MEMORY",
)

_TABLES = """
-- A position is never used again: the next one is written down here, under the write lock, so they are commit order.
CREATE TABLE meta (
    generation TEXT NOT NULL,
    upcoming INTEGER NOT NULL
) STRICT;

-- The log: runs of entries that follow one another, a row for each commit until they are merged. The columns with the
-- entries have a table of their own, so that looking for a time or a level reads a few pages.
CREATE TABLE segment (
    first INTEGER PRIMARY KEY,              -- position of the first place
    places INTEGER NOT NULL,                -- positions that it spans
    entries INTEGER NOT NULL,               -- of them with an entry: the others were deleted
    bytes INTEGER NOT NULL,                 -- of messages and attributes in UTF-8
    oldest INTEGER NOT NULL,                -- microseconds
    newest INTEGER NOT NULL,                -- microseconds
    levels INTEGER NOT NULL,                -- a bit for each level that occurs
    codec INTEGER NOT NULL,                 -- 0 plain, 1 zlib
    checksum INTEGER NOT NULL               -- CRC-32 of the numbers before it
) STRICT;
CREATE INDEX plain_segment ON segment (first) WHERE codec = 0;

CREATE TABLE body (
    first INTEGER PRIMARY KEY,              -- of the segment
    names TEXT NOT NULL,                    -- of levels beyond the five, as within a JSON string, joined by line feeds
    checksum INTEGER NOT NULL,              -- CRC-32 of the names and the columns as they are here
    filter BLOB,                            -- of the attributes, before the columns, to be read without them
    timestamps BLOB NOT NULL,               -- microseconds
    codes BLOB NOT NULL,                    -- the level at each place, 0 for none
    messages BLOB NOT NULL,                 -- as within a JSON string: lines of NDJSON are put together as they are
    attributes BLOB NOT NULL                -- JSON objects
) STRICT;

-- What a segment has of each level, so that counting and retention do not unpack it.
CREATE TABLE share (
    first INTEGER NOT NULL,                 -- of the segment
    level TEXT NOT NULL,                    -- as within a JSON string
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    oldest INTEGER NOT NULL,                -- microseconds
    newest INTEGER NOT NULL,                -- microseconds
    checksum INTEGER NOT NULL,              -- CRC-32 of the numbers, then the level
    PRIMARY KEY (first, level)
) STRICT, WITHOUT ROWID;

-- Segments that a reader could not read, so that each is counted once, whoever comes upon it.
CREATE TABLE skipped (
    first INTEGER PRIMARY KEY,              -- of the segment
    reason TEXT NOT NULL                    -- damaged, unknown_codec
) STRICT;

CREATE TABLE family (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    help TEXT NOT NULL,
    unit TEXT NOT NULL,
    aggregate TEXT NOT NULL,
    bounds TEXT NOT NULL,                   -- a JSON array; empty until the first histogram if none were defined
    series_limit INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A series that ended stays here for as long as the history mentions it.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    labels TEXT NOT NULL,                   -- a JSON object, names sorted
    overflow INTEGER NOT NULL,              -- 1: all its labels are __overflow__, the series limit is not for it
    created INTEGER NOT NULL,               -- microseconds
    ended INTEGER,                          -- microseconds; NULL while it lives
    UNIQUE (name, kind, labels)
) STRICT;
-- Of a service whose series come and go, those that ended are soon a hundred times as many as those that live.
CREATE INDEX living_series ON series (name, kind, overflow, created, ended) WHERE ended IS NULL;
CREATE INDEX ended_series ON series (ended) WHERE ended IS NOT NULL;

-- ANY keeps whole numbers whole up to 2**63 and floats floats. NULL is NaN, which SQLite cannot store.
-- A histogram is JSON: [bounds, counts, sum]. A gauge's value is that of the latest commit.
-- A series that lives has a row here from its first report on.
CREATE TABLE total (
    series INTEGER PRIMARY KEY,
    value ANY,
    reported INTEGER NOT NULL               -- microseconds
) STRICT;

-- Gauges with "sum", "min" and "max": the latest value of each worker. Worker '' is no worker and never expires.
CREATE TABLE gauge (
    series INTEGER NOT NULL,
    worker TEXT NOT NULL,
    value ANY,
    PRIMARY KEY (series, worker)
) STRICT, WITHOUT ROWID;
CREATE INDEX gauge_by_worker ON gauge (worker);

-- The newest example of each bucket; bucket 0 of a counter.
CREATE TABLE exemplar (
    series INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    labels TEXT NOT NULL,                   -- a JSON object
    value ANY,
    timestamp INTEGER,                      -- microseconds; NULL where unknown
    PRIMARY KEY (series, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE worker (
    id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,              -- of its latest batch
    expires INTEGER NOT NULL,               -- microseconds
    swept INTEGER NOT NULL,                 -- 1: it had expired and its gauges are gone; it must report them again
    host TEXT NOT NULL,
    pid INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    worker TEXT NOT NULL,
    expires INTEGER NOT NULL                -- microseconds
) STRICT;

-- The history. What was sampled last: a row for each time.
CREATE TABLE frame (
    timestamp INTEGER PRIMARY KEY,          -- microseconds
    points INTEGER NOT NULL,                -- series with a value
    layout BLOB NOT NULL,                   -- whose values these are
    data BLOB NOT NULL,                     -- the values
    checksum INTEGER NOT NULL               -- CRC-32 of layout and data
) STRICT;

-- What was sampled before: times that follow one another, as they were sampled or thinned. A stretch never changes but
-- for its state and what is deleted of it; others take its place.
CREATE TABLE stretch (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,                 -- 0 being written, 1 readable, 2 being deleted
    step INTEGER NOT NULL,                  -- seconds between two times; 0 as sampled
    sealed INTEGER NOT NULL,                -- 1: nothing is to be made of it any more
    oldest INTEGER NOT NULL,                -- microseconds; of the samples that it stands for
    newest INTEGER NOT NULL,                -- microseconds
    since INTEGER NOT NULL,                 -- microseconds; what is older was deleted
    points INTEGER NOT NULL,                -- values that are left
    changed INTEGER NOT NULL,               -- microseconds; when the state or what is left of it changed
    times INTEGER NOT NULL,
    axis BLOB NOT NULL                      -- the times, and how many series have a value at each
) STRICT;
CREATE INDEX readable_stretch ON stretch (step, oldest) WHERE state = 1;

-- The points of a stretch: of the series with id / 64 = slice.
CREATE TABLE chunk (
    stretch INTEGER NOT NULL,
    slice INTEGER NOT NULL,
    directory BLOB NOT NULL,                -- which series, and how many bytes of the data each has
    checksum INTEGER NOT NULL,              -- CRC-32 of the directory
    data BLOB NOT NULL,                     -- each series by itself: zlib has a checksum of its own
    PRIMARY KEY (stretch, slice)
) STRICT, WITHOUT ROWID;
"""


def check_library() -> None:
    """Raise ConfigurationError when the SQLite that Python was built with is too old."""
    if sqlite3.sqlite_version_info < _OLDEST_LIBRARY:
        wanted = ".".join(map(str, _OLDEST_LIBRARY))
        raise ConfigurationError(
            f"observabilipy-sqlite needs SQLite {wanted} or newer, this Python has {sqlite3.sqlite_version}:"
            " use a newer Python build, or memory://"
        )


def prepare(connection: sqlite3.Connection, synchronous: Synchronous) -> None:
    """Settle a new connection: its settings, and the tables when the file is new.

    Raises:
        StorageRefused: the database belongs to another program or a newer version of this one.
        sqlite3.Error: as it comes.
    """
    version = _version(connection)
    if version is None:
        for pragma in _OF_A_NEW_FILE:
            connection.execute(pragma)
    _use_wal(connection)
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    # NORMAL: a power failure may take the commits since the last checkpoint, never the file; kill -9 takes nothing.
    connection.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
    if version is None or version < _newest():
        _make(connection)


def is_ours(connection: sqlite3.Connection) -> bool | None:
    """Whether the header of a database says so, and its format is this one; None when there is no header to read."""
    try:
        connection.execute("PRAGMA writable_schema = ON")  # SQLite then reads a file that is shorter than it should be
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        return False  # locked or out of reach: it may well have one
    except sqlite3.DatabaseError:
        return None
    return (application, version // _THOUSAND) == (_APPLICATION_ID, _MAJOR)


def lacks_columns(connection: sqlite3.Connection) -> bool:
    """Whether a table or a column of ours is missing: a flipped byte in a definition gives it another name."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_TABLES)
        wanted = set(model.execute(_COLUMNS))
    return not wanted <= set(connection.execute(_COLUMNS))


_COLUMNS = (  # no text: damage may have left none
    "SELECT CAST(tables.name AS BLOB), CAST(columns.name AS BLOB)"
    " FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
)


def _newest() -> int:
    return _MAJOR * _THOUSAND + len(_UPGRADES)


def _version(connection: sqlite3.Connection) -> int | None:
    """The version of a file that this program can use, perhaps with a higher minor; None of an empty one."""
    # One statement, one snapshot: another worker may be creating the tables.
    application, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if (application, version, tables) == (0, 0, 0):
        return None
    if application != _APPLICATION_ID:
        raise StorageRefused("it is a database of another program: choose another path")
    major, minor = divmod(int(version), _THOUSAND)
    if major == _MAJOR:
        return int(version)
    if major == 0:
        raise StorageRefused(
            f"its format is version {version}, of a development version that was never released: move the file away"
        )
    raise StorageRefused(
        f"its format is version {major}.{minor}, this observabilipy-sqlite reads and writes {_MAJOR}.x:"
        f" install {'a newer' if major > _MAJOR else 'an older'} observabilipy-sqlite, or choose another path"
    )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, which the file remembers.

    The switch needs a moment alone, and SQLite does not wait for that in every case: two connections that both hold
    a read lock would wait for each other.
    """
    give_up = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > give_up:
                raise
            time.sleep(0.005)


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables, or what a file of an older minor lacks, all at once: others may be about to do the same."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version is None:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO meta (generation, upcoming) VALUES (?, 1)", (secrets.token_hex(4),))
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            version = _MAJOR * _THOUSAND
        for statements in _UPGRADES[version % _THOUSAND :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(version, _newest())}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
