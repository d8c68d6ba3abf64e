"""NDJSON: one JSON object a line (ndjson-spec 1.0), the format of /logs."""

from collections.abc import AsyncIterable, AsyncIterator

from observabilipy.encoding.json_text import json_text
from observabilipy.models import LogEntry, to_micros

__all__ = ["NDJSON_CONTENT_TYPE", "encode_entry", "encode_logs", "encode_stored"]

NDJSON_CONTENT_TYPE = "application/x-ndjson"
_CHUNK_BYTES = 32_768


def encode_entry(entry: LogEntry) -> bytes:
    """One entry as one line.

    ``{"cursor": "k3f9-7", "timestamp": 1763826000.123456, "level": "INFO", "message": "...", "attributes": {...}}``;
    an entry that was never stored has no cursor.
    """
    attributes = json_text(entry.attributes)
    return encode_stored(entry.cursor, to_micros(entry.timestamp), entry.level, entry.message, attributes)


def encode_stored(cursor: str | None, micros: int, level: str, message: str, attributes: str) -> bytes:
    """One entry as one line, from its parts as stores keep them: ``attributes`` is JSON text already."""
    head = "" if cursor is None else f'"cursor":"{cursor}",'
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, rest = divmod(micros, 1_000_000)
    return (
        f'{{{head}"timestamp":{sign}{seconds}.{rest:06d},"level":{json_text(level)},'
        f'"message":{json_text(message)},"attributes":{attributes}}}\n'
    ).encode()


async def encode_logs(entries: AsyncIterable[LogEntry]) -> AsyncIterator[bytes]:
    """Entries as NDJSON, in chunks of whole lines of about 32 KiB, so that any log streams in constant memory."""
    lines: list[bytes] = []
    size = 0
    async for entry in entries:
        line = encode_entry(entry)
        lines.append(line)
        size += len(line)
        if size >= _CHUNK_BYTES:
            yield b"".join(lines)
            lines.clear()
            size = 0
    if lines:
        yield b"".join(lines)
