"""NDJSON: one JSON object a line (ndjson-spec 1.0), the format of /logs."""

from collections.abc import AsyncIterable, AsyncIterator

from observabilipy.encoding.fast import LINE, Dumps, fastest, prepared
from observabilipy.encoding.json_text import (
    UNQUOTED,
    escaped,
    flat_text,
    is_common,
    json_text,
    on_one_line,
    survey,
)
from observabilipy.models import LEVELS, LogEntry, to_micros

__all__ = ["NDJSON_CONTENT_TYPE", "encode_entry", "encode_logs", "encode_stored", "seconds_text"]

NDJSON_CONTENT_TYPE = "application/x-ndjson"
_CHUNK_BYTES = 32_768
_QUOTED = {level: f'"{level}"' for level in LEVELS}

# From one second after 1970 up to this time, in 2041, a float is so near its microsecond that its shortest digits are
# those of the microsecond, and that its product with a million is less than a half away from them.
_LATEST = 2_250_000_000.0


def encode_entry(entry: LogEntry, dumps: Dumps | None = fastest) -> bytes:
    """One entry as one line.

    ``{"cursor": "k3f9-7", "timestamp": 1763826000.123456, "level": "INFO", "message": "...", "attributes": {...}}``;
    an entry that was never stored has no cursor. The timestamp has as many of six decimals as it needs, and at least
    one. ``dumps`` as for ``json_text``: the line is the same, to the byte.
    """
    if dumps is fastest:
        dumps = prepared()
    timestamp = entry.timestamp
    message = entry.message
    attributes = entry.attributes
    if 1.0 <= timestamp < _LATEST and type(attributes) is dict:
        # In one piece: each call of a function in between would cost a twentieth of the whole.
        try:
            if dumps is None:
                encoded = flat_text(attributes)
                if encoded is not None:
                    head = "" if entry.cursor is None else f'"cursor":{escaped(entry.cursor)},'
                    digits = str(int(timestamp * 1e6 + 0.5))
                    line = (
                        f'{{{head}"timestamp":{digits[:-6]}.{digits[-6:].rstrip("0") or "0"},'
                        f'"level":{_QUOTED[entry.level]},"message":{escaped(message)},"attributes":{encoded}}}\n'
                    )
                    return line.encode() if line.isascii() else on_one_line(line).encode()
            else:
                is_plain = True
                for item in attributes.values():
                    if type(item) not in UNQUOTED and not (
                        type(item) is float and (1e-4 <= item < 1e16 or is_common(item))
                    ):
                        is_plain = survey(attributes) == "plain"
                        break
                if is_plain:
                    parts = {"timestamp": timestamp, "level": entry.level, "message": message, "attributes": attributes}
                    made = dumps(parts if entry.cursor is None else {"cursor": entry.cursor, **parts}, None, LINE)
                    return made if made.isascii() else on_one_line(made.decode()).encode()
        except Exception:  # noqa: BLE001, S110 - another level, or what json_text knows how to spell
            pass
    return encode_stored(entry.cursor, to_micros(timestamp), entry.level, message, json_text(attributes, dumps))


def encode_stored(cursor: str | None, micros: int, level: str, message: str, attributes: str) -> bytes:
    """One entry as one line, from its parts as stores keep them: ``attributes`` is JSON text already."""
    head = "" if cursor is None else f'"cursor":{_string(cursor)},'
    return (
        f'{{{head}"timestamp":{seconds_text(micros)},"level":{_QUOTED.get(level) or _string(level)},'
        f'"message":{escaped(message) if message.isascii() else json_text(message)},"attributes":{attributes}}}\n'
    ).encode()


def _string(text: str) -> str:
    return escaped(text) if text.isascii() else json_text(text)


def seconds_text(micros: int) -> str:
    """Seconds with as many of six decimals as they need, and at least one."""
    if micros < 1_000_000:
        return f"-{seconds_text(-micros)}" if micros < 0 else f"0{seconds_text(micros + 1_000_000)[1:]}"
    digits = str(micros)  # with slices half the time of divmod and two formats
    return f"{digits[:-6]}.{digits[-6:].rstrip('0') or '0'}"


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
