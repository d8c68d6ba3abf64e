"""Records of standard logging that are not as logging makes them, and exceptions that cannot be formatted."""

import logging
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from observabilipy.logs.exceptions import exception_attributes
from observabilipy.logs.logging_record import attributes_of


class TenantRecord(logging.LogRecord):
    """Has an attribute of its own before those of logging."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.tenant = "acme"
        super().__init__(*args, **kwargs)


def record(**attributes: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "shop", "filename": "a.py", "lineno": 3, **attributes})


def odd_text() -> BaseException:
    error = SyntaxError("odd", ("f", 1, 1, "t"))
    error.text = 5  # type: ignore[assignment]
    return error


class OddCauseError(Exception):
    """Its cause cannot be had."""

    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise RuntimeError("cause")


def test_attributes_that_a_record_class_has_before_those_of_logging_are_kept() -> None:
    made = TenantRecord("shop", logging.INFO, "/srv/a.py", 3, "m", (), None)
    made.tier = "gold"

    assert attributes_of(made) == {
        "logger": "shop",
        "filename": "a.py",
        "lineno": 3,
        "tenant": "acme",
        "tier": "gold",
    }


def test_the_traceback_of_a_record_from_another_process_is_kept() -> None:
    sent = pickle.loads(pickle.dumps(record(exc_text="Traceback ...").__dict__))

    assert attributes_of(logging.makeLogRecord(sent)) == {
        "logger": "shop",
        "filename": "a.py",
        "lineno": 3,
        "exception.stacktrace": "Traceback ...",
    }


def test_an_exception_that_somebody_put_into_a_record_himself_is_kept() -> None:
    made = attributes_of(record(exc_info=ValueError("no")))

    assert (made["exception.type"], made["exception.message"]) == ("ValueError", "no")


def test_exception_information_that_is_none_loses_nothing_else() -> None:
    assert attributes_of(record(exc_info=True)) == {"logger": "shop", "filename": "a.py", "lineno": 3}


@pytest.mark.parametrize("make", [odd_text, OddCauseError])
def test_an_exception_that_cannot_be_formatted_still_tells_where_it_was_raised(
    make: Callable[[], BaseException],
) -> None:
    try:
        raise make()
    except (SyntaxError, OddCauseError):
        told = str(exception_attributes(sys.exc_info())["exception.stacktrace"]).splitlines()

    assert (told[0], __file__ in told[1], told[-1]) == (
        "Traceback (most recent call last):",
        True,
        f"<unprintable {make().__class__.__name__}>",
    )
