"""The other libraries, each set up as its documentation says, onto a sink that the benchmark chooses."""

import logging
import queue
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import Any, cast

from benchmarks.measure import Burst, nothing

__all__ = [
    "LIBRARIES",
    "Library",
    "NullStream",
    "Sink",
    "extra_calls",
    "json_logger",
    "loguru_bound",
    "loguru_json",
    "opentelemetry_batch",
    "orjson_logger",
    "queue_json",
    "standard_logger",
    "stdlib_text",
    "structlog_json",
    "structlog_orjson",
    "text_calls",
]

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class NullStream:
    """Keeps nothing, in the cheapest way there is: by two functions that are written in C."""

    write = staticmethod(len)
    flush = staticmethod(bool)


@dataclass(frozen=True, slots=True)
class Sink:
    """Where a library writes: a stream of text, and one of bytes for those that write bytes."""

    text: Any  # each library has a type of its own for it
    binary: Any

    @classmethod
    def null(cls) -> "Sink":
        """Keeps nothing."""
        return cls(NullStream(), NullStream())

    @classmethod
    def file(cls, path: Path) -> "Sink":
        """Appends to a file, each time it is flushed."""
        return cls(path.open("a", encoding="utf-8"), path.open("ab"))


@dataclass(frozen=True, slots=True)
class Library:
    """A library that is set up.

    ``log(message, **attributes)`` writes at INFO in the way that the library has for attributes; ``burst`` does the
    same call so often, as an application writes it, and ``disabled`` one below the level. ``drain`` waits until its
    thread has written everything, ``close`` does what its documentation wants at the end.
    """

    log: Callable[..., object]
    burst: Burst
    disabled: Burst
    drain: Callable[[], object] = nothing
    close: Callable[[], object] = nothing


def stdlib_text(sink: Sink) -> Library:
    """Standard logging as its tutorial shows it: a line of text with a time."""
    return text_calls(standard_logger("text", _stream_handler(sink, logging.Formatter(TEXT_FORMAT))))


def json_logger(sink: Sink) -> Library:
    """python-json-logger with its default encoder, which is json."""
    from pythonjsonlogger.json import JsonFormatter

    return extra_calls(standard_logger("json", _stream_handler(sink, JsonFormatter(TEXT_FORMAT))))


def orjson_logger(sink: Sink) -> Library:
    """python-json-logger with orjson."""
    from pythonjsonlogger.orjson import OrjsonFormatter

    return extra_calls(standard_logger("orjson", _stream_handler(sink, OrjsonFormatter(TEXT_FORMAT))))


def queue_json(sink: Sink) -> Library:
    """QueueHandler and QueueListener, which writes by python-json-logger in its thread."""
    from pythonjsonlogger.json import JsonFormatter

    waiting: queue.Queue[logging.LogRecord] = queue.Queue(-1)
    listener = QueueListener(waiting, _stream_handler(sink, JsonFormatter(TEXT_FORMAT)))
    listener.start()

    def drain() -> None:
        listener.stop()  # no join() of the queue: the thread may have died of a RecursionError
        listener.start()

    return extra_calls(standard_logger("queue", QueueHandler(waiting)), drain, listener.stop)


def structlog_json(sink: Sink) -> Library:
    """Structlog writing JSON with its default encoder."""
    import structlog

    return _structlog(structlog.WriteLoggerFactory(sink.text), structlog.processors.JSONRenderer())


def structlog_orjson(sink: Sink) -> Library:
    """Structlog in the configuration that its documentation calls the fastest ("Performance")."""
    import orjson
    import structlog

    renderer = structlog.processors.JSONRenderer(serializer=orjson.dumps)
    return _structlog(structlog.BytesLoggerFactory(sink.binary), renderer)


def loguru_json(sink: Sink, *, enqueue: bool = False) -> Library:
    """Loguru with ``serialize=True``, attributes as keywords; its logger is one for the process."""
    log = _loguru(sink, enqueue=enqueue)

    def burst(calls: int) -> None:
        for number in range(calls):
            log.info("order placed", order=number, tier="gold", amount=19.99, paid=True)

    def disabled(calls: int) -> None:
        for number in range(calls):
            log.debug("order placed", order=number, tier="gold", amount=19.99, paid=True)

    return Library(log.info, burst, disabled, log.complete, log.remove)


def loguru_bound(sink: Sink) -> Library:
    """The same with attributes by ``bind``, which leaves braces in messages alone."""
    log = _loguru(sink, enqueue=False)

    def bound(message: str, /, **attributes: object) -> None:
        log.bind(**attributes).info(message)

    def burst(calls: int) -> None:
        for number in range(calls):
            log.bind(order=number, tier="gold", amount=19.99, paid=True).info("order placed")

    def disabled(calls: int) -> None:
        for number in range(calls):
            log.bind(order=number, tier="gold", amount=19.99, paid=True).debug("order placed")

    return Library(bound, burst, disabled, log.complete, log.remove)


def opentelemetry_batch(sink: Sink | None = None, *, queue_size: int | None = None) -> Library:
    """OpenTelemetry's handler and BatchLogRecordProcessor; exports to the sink as JSON, or into memory."""
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import (
        BatchLogRecordProcessor,
        ConsoleLogRecordExporter,
        InMemoryLogRecordExporter,
    )

    memory = cast("Any", InMemoryLogRecordExporter)()  # it has no types
    console = sink and ConsoleLogRecordExporter(
        out=sink.text, formatter=lambda record: record.to_json(indent=None) + "\n"
    )
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(console or memory, max_queue_size=queue_size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it moves to another distribution
        handler = LoggingHandler(logger_provider=provider)

    def drain() -> None:
        provider.force_flush()
        memory.clear()

    return extra_calls(standard_logger("opentelemetry", handler), drain, provider.shutdown)


LIBRARIES: dict[str, Callable[[Sink], Library]] = {
    "stdlib text": stdlib_text,
    "python-json-logger": json_logger,
    "python-json-logger, orjson": orjson_logger,
    "QueueHandler, json in its thread": queue_json,
    "structlog, json": structlog_json,
    "structlog, orjson": structlog_orjson,
    "loguru, serialize": loguru_json,
}
"""By the name that the tables give them. OpenTelemetry's takes another sink, and loguru's variants share a logger."""


def text_message(message: object, attributes: dict[str, object]) -> tuple[str, tuple[object, ...]]:
    """What a text logger gets: the attributes behind the message, and their values."""
    return " ".join([str(message).replace("%", "%%"), *(f"{name}=%s" for name in attributes)]), tuple(
        attributes.values()
    )


def standard_logger(name: str, handler: logging.Handler) -> logging.Logger:
    """A logger with this handler alone, at INFO."""
    logger = logging.getLogger(f"benchmark.{name}")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def _stream_handler(sink: Sink, formatter: logging.Formatter) -> logging.Handler:
    handler: logging.StreamHandler[Any] = logging.StreamHandler(sink.text)
    handler.setFormatter(formatter)
    return handler


def text_calls(logger: logging.Logger, drain: Callable[[], object] = nothing) -> Library:
    """Calls with the attributes in the text."""

    def log(message: object, /, **attributes: object) -> None:
        text, values = text_message(message, attributes)
        logger.info(text, *values)

    def burst(calls: int) -> None:
        for number in range(calls):
            logger.info("order placed order=%d tier=%s amount=%s paid=%s", number, "gold", 19.99, True)

    def disabled(calls: int) -> None:
        for number in range(calls):
            logger.debug("order placed order=%d tier=%s amount=%s paid=%s", number, "gold", 19.99, True)

    return Library(log, burst, disabled, drain)


def extra_calls(
    logger: logging.Logger, drain: Callable[[], object] = nothing, close: Callable[[], object] = nothing
) -> Library:
    """Calls with the attributes in ``extra``."""

    def log(message: object, /, **attributes: object) -> None:
        logger.info(message, extra=attributes)

    def burst(calls: int) -> None:
        for number in range(calls):
            logger.info("order placed", extra={"order": number, "tier": "gold", "amount": 19.99, "paid": True})

    def disabled(calls: int) -> None:
        for number in range(calls):
            logger.debug("order placed", extra={"order": number, "tier": "gold", "amount": 19.99, "paid": True})

    return Library(log, burst, disabled, drain, close)


def _structlog(factory: Any, renderer: Any) -> Library:  # Any: their types are structlog's own
    import structlog

    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=factory,
    )
    log = structlog.get_logger().bind()  # bound once: the lazy one that a module has costs more at each call

    def burst(calls: int) -> None:
        for number in range(calls):
            log.info("order placed", order=number, tier="gold", amount=19.99, paid=True)

    def disabled(calls: int) -> None:
        for number in range(calls):
            log.debug("order placed", order=number, tier="gold", amount=19.99, paid=True)

    return Library(log.info, burst, disabled)


def _loguru(sink: Sink, *, enqueue: bool) -> Any:  # Any: a library without types here
    from loguru import logger

    logger.remove()
    logger.add(sink.text, serialize=True, level="INFO", enqueue=enqueue)
    return logger
