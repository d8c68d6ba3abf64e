"""Entries into lines of NDJSON, beside ``json.dumps`` of the same line, and the parts of it: CPU time of this thread.

All of them start from a LogEntry. What ``encode_entry`` gives are bytes with a line feed, strict whatever the values
are; the others give what their function gives. With and without orjson, in one run.

Run it: uv run --group peers python -m benchmarks.encoding
"""

import json
from collections.abc import Callable, Mapping

import orjson
from benchmarks.measure import Burst, Subject, Target, heading, measure, median, ratio, show_targets

from observabilipy import LogEntry, Redaction
from observabilipy.encoding.json_text import is_flat, json_text
from observabilipy.encoding.ndjson import encode_entry, encode_stored
from observabilipy.logs.cuts import cut
from observabilipy.models import to_micros

ROUNDS = 41
ENTRIES = 1_000

DUMPS, DUMPS_ALONE = "json.dumps", "json.dumps, the dict made before"
STANDARD, FAST = "encode_entry, standard library alone", "encode_entry, orjson"
TARGETS = (Target(STANDARD, DUMPS, 1 / 1.6), Target(FAST, DUMPS, 1 / 10))

Shape = Callable[[int], tuple[str, dict[str, object]]]
"""Message and attributes of an entry, by its number."""

PLAIN = "message and four attributes (int, str, float, bool)"

SHAPES: Mapping[str, Shape] = {
    PLAIN: lambda number: ("order placed", {"order": number, "tier": "gold", "amount": 19.99, "paid": True}),
    "no attributes": lambda number: (f"order {number} placed", {}),
    "text beyond ASCII": lambda number: ("Bestellung für Zoë bestätigt", {"order": number, "city": "Zürich"}),
    "nested attributes": lambda number: (
        "order placed",
        {"order": number, "lines": [{"sku": "apple", "count": 3}, {"sku": "pear", "count": 1}], "tags": ["new"]},
    ),
}


def document(entry: LogEntry) -> dict[str, object]:
    """What json takes."""
    return {
        "timestamp": entry.timestamp,
        "level": entry.level,
        "message": entry.message,
        "attributes": entry.attributes,
    }


def entries_of(shape: Shape) -> list[LogEntry]:
    """So many different ones."""
    return [LogEntry(1_763_826_000.123456 + number / 1000, "INFO", *shape(number)) for number in range(ENTRIES)]


def whole(shape: Shape) -> list[Subject]:
    """Whole lines of a shape. Each has a loop of its own: a call in between would count."""
    entries = entries_of(shape)
    documents = [document(entry) for entry in entries]
    kept = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

    def dumps(_: int) -> None:
        for it in entries:
            json.dumps(
                {"timestamp": it.timestamp, "level": it.level, "message": it.message, "attributes": it.attributes}
            )

    def dumps_alone(_: int) -> None:
        for it in documents:
            json.dumps(it)

    def encoder(_: int) -> None:
        for it in documents:
            kept.encode(it)

    def standard(_: int) -> None:
        for it in entries:
            encode_entry(it, None)

    def fast(_: int) -> None:
        for it in entries:
            encode_entry(it, orjson.dumps)

    def unguarded(_: int) -> None:
        for it in entries:
            orjson.dumps(
                {"timestamp": it.timestamp, "level": it.level, "message": it.message, "attributes": it.attributes}
            )

    def orjson_alone(_: int) -> None:
        for it in documents:
            orjson.dumps(it)

    return [
        Subject(DUMPS, dumps),
        Subject(DUMPS_ALONE, dumps_alone),
        Subject("a JSONEncoder that is kept, the dict made before", encoder),
        Subject(STANDARD, standard),
        Subject(FAST, fast),
        Subject("orjson.dumps", unguarded),
        Subject("orjson.dumps, the dict made before", orjson_alone),
    ]


def parts() -> list[Subject]:
    """What happens to an entry on its way into the store; each is one more call of a function than what it names."""
    entries = entries_of(SHAPES[PLAIN])
    texts = {id(entry): json_text(entry.attributes) for entry in entries}
    micros = {id(entry): to_micros(entry.timestamp) for entry in entries}
    redaction, patterns = Redaction(), Redaction(patterns=[r"\b\d{16}\b"])
    calls: dict[str, Callable[[LogEntry], object]] = {
        "a function that does nothing": lambda _: None,
        "encode_stored": lambda it: encode_stored("k3f9-7", micros[id(it)], "INFO", it.message, texts[id(it)]),
        "json_text(attributes), standard library alone": lambda it: json_text(it.attributes, None),
        "json_text(attributes), orjson": lambda it: json_text(it.attributes, orjson.dumps),
        "is_flat": lambda it: is_flat(it.attributes),
        "Redaction.apply": lambda it: redaction.apply(it.attributes),
        "Redaction.apply, one pattern": lambda it: patterns.apply(it.attributes),
        "cut, nothing to cut": lambda it: cut(it.message, it.attributes),
    }

    def burst_of(call: Callable[[LogEntry], object]) -> Burst:
        def burst(_: int) -> None:
            for it in entries:
                call(it)

        return burst

    return [Subject(name, burst_of(call)) for name, call in calls.items()]


def main() -> None:
    """Print the tables."""
    print(heading("orjson"))
    for name, shape in SHAPES.items():
        subjects = whole(shape)
        taken = measure(subjects, rounds=ROUNDS, calls=ENTRIES)
        print(f"\n{name:56}{'ns':>8}{'faster':>10}")
        for subject in subjects:
            print(f"{subject.name:56}{median(taken, subject.name):8.0f}{1 / ratio(taken, subject.name, DUMPS):9.1f}x")
        if name == PLAIN:
            show_targets(taken, TARGETS)
    taken = measure(parts(), rounds=ROUNDS, calls=ENTRIES)
    print(f"\n{f'parts, {PLAIN}':56}{'ns':>8}")
    for name in taken:
        print(f"{name:56}{median(taken, name):8.0f}")


if __name__ == "__main__":
    main()
