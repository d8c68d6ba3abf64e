"""Standard logging through our handler."""

import asyncio
import io
import logging
import logging.config
import subprocess
import sys
from collections.abc import Iterator

import pytest

from observabilipy import LoggingHandler, LogQuery, Observability, install


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability(handle_sigterm=False, flush_interval=3600) as made:
        yield made


@pytest.fixture
def logger(obs: Observability) -> logging.Logger:
    made = logging.Logger("shop.orders")  # not in logging's tree: no other handler sees it
    made.addHandler(obs.logging_handler())
    return made


def entries(obs: Observability) -> list[tuple[str, str, dict[str, object]]]:
    async def read() -> list[tuple[str, str, dict[str, object]]]:
        return [(e.level, e.message, dict(e.attributes)) async for e in obs.storage.read_logs(LogQuery())]

    obs.flush()
    return asyncio.run(read())


def test_a_record_becomes_an_entry_with_its_extra_fields(obs: Observability, logger: logging.Logger) -> None:
    logger.warning("order %d of %s", 7, "Ada", extra={"tier": "gold"})
    [(level, message, attributes)] = entries(obs)
    lineno = attributes.pop("lineno")

    assert (level, message, attributes, type(lineno)) == (
        "WARNING",
        "order 7 of Ada",
        {"logger": "shop.orders", "filename": "test_logging_handler.py", "tier": "gold"},
        int,
    )


def test_another_handler_that_formatted_the_record_first_leaves_no_trace(obs: Observability) -> None:
    logger = logging.Logger("shop")
    first = logging.StreamHandler(io.StringIO())
    first.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(first)
    logger.addHandler(obs.logging_handler())
    logger.info("m")

    assert set(entries(obs)[0][2]) == {"logger", "filename", "lineno"}


def test_exceptions_become_fields(obs: Observability, logger: logging.Logger) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("failed")
    [(level, _, attributes)] = entries(obs)

    assert (level, attributes["exception.type"], attributes["exception.message"]) == ("ERROR", "ValueError", "broken")


def test_numeric_levels_take_the_highest_level_at_or_below_and_keep_their_name(
    obs: Observability, logger: logging.Logger
) -> None:
    logging.addLevelName(25, "NOTICE")
    for number in (5, 10, 25, 50, 60):
        logger.log(number, "m")

    assert [(level, attributes.get("level_name")) for level, _, attributes in entries(obs)] == [
        ("DEBUG", "Level 5"),
        ("DEBUG", None),
        ("INFO", "NOTICE"),
        ("CRITICAL", None),
        ("CRITICAL", "Level 60"),
    ]


def test_arguments_that_do_not_fit_the_format_lose_nothing(obs: Observability, logger: logging.Logger) -> None:
    logger.info("%d items", "many")

    assert entries(obs)[0][1] == "%d items ('many',)"


@pytest.mark.parametrize("name", ["observabilipy", "observabilipy.runtime", "aiosqlite"])
def test_what_the_library_logs_about_itself_is_not_fed_back(obs: Observability, name: str) -> None:
    logger = logging.Logger(name)
    logger.addHandler(obs.logging_handler())
    logger.error("m")

    assert entries(obs) == []


def test_debug_records_of_asyncio_are_not_fed_back_and_its_warnings_are_kept(obs: Observability) -> None:
    logger = logging.Logger("asyncio")
    logger.addHandler(obs.logging_handler())
    logger.debug("poll took 0.2 ms")
    logger.warning("Executing <Task> took 0.2 seconds")

    assert [message for _, message, _ in entries(obs)] == ["Executing <Task> took 0.2 seconds"]


def test_adding_the_handler_twice_and_above_takes_each_record_once(obs: Observability) -> None:
    parent, child = logging.Logger("shop"), logging.Logger("shop.orders")
    child.parent = parent
    for logger in (parent, child, child):
        logger.addHandler(obs.logging_handler())
    parent.addHandler(LoggingHandler(obs))
    child.info("once")
    child.info("once")
    child.info("and again")

    assert [message for _, message, _ in entries(obs)] == ["once", "once", "and again"]


def test_each_of_two_observabilities_takes_the_record(obs: Observability) -> None:
    with Observability(handle_sigterm=False, flush_interval=3600) as other:
        logger = logging.Logger("shop")
        logger.addHandler(obs.logging_handler())
        logger.addHandler(other.logging_handler())
        logger.info("both")

        assert ([m for _, m, _ in entries(obs)], [m for _, m, _ in entries(other)]) == (["both"], ["both"])


def test_dict_config_reaches_the_installed_observability(obs: Observability) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"obs": {"class": "observabilipy.LoggingHandler", "level": "INFO"}},
            "loggers": {"test.dictconfig": {"handlers": ["obs"], "level": "DEBUG", "propagate": False}},
        }
    )
    install(obs)
    logging.getLogger("test.dictconfig").debug("below")
    logging.getLogger("test.dictconfig").info("there")

    assert [message for _, message, _ in entries(obs)] == ["there"]


def test_records_below_the_level_of_the_observability_are_not_kept() -> None:
    with Observability(level="WARNING", handle_sigterm=False, flush_interval=3600) as obs:
        logger = logging.Logger("shop")
        logger.addHandler(obs.logging_handler())
        logger.info("quiet")
        logger.warning("loud")

        assert [message for _, message, _ in entries(obs)] == ["loud"]


def test_what_is_logged_before_an_observability_is_installed_is_not_kept_and_not_complained_about(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observabilipy.installation._find", lambda: None)
    logger = logging.Logger("shop")
    logger.addHandler(LoggingHandler())
    logger.error("early")

    assert capsys.readouterr().err == ""


def test_filters_hold_and_the_handler_has_no_lock(obs: Observability) -> None:
    handler = LoggingHandler(obs)
    handler.addFilter(lambda record: record.getMessage() != "no")
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    logger.info("no")
    logger.info("yes")

    assert ([message for _, message, _ in entries(obs)], handler.lock) == (["yes"], None)


def test_our_own_warnings_reach_stderr_where_this_handler_is_the_only_one() -> None:
    program = """
import logging
from observabilipy import LoggingHandler
logging.getLogger().addHandler(LoggingHandler())
logging.getLogger("observabilipy").warning("nothing is recorded")
logging.getLogger("observabilipy").info("not worth a line")
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger("observabilipy").warning("somebody else may say it")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )

    assert (done.stdout, done.stderr) == ("", "nothing is recorded\n")


def test_several_of_our_handlers_say_our_own_warnings_once() -> None:
    program = """
import logging
from observabilipy import LoggingHandler
logging.getLogger().addHandler(LoggingHandler())
logging.getLogger().addHandler(LoggingHandler())
deaf = LoggingHandler()
deaf.addFilter(lambda record: False)
logging.getLogger("observabilipy").addHandler(deaf)
logging.getLogger("observabilipy").warning("nothing is recorded")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )

    assert (done.stdout, done.stderr) == ("", "nothing is recorded\n")
