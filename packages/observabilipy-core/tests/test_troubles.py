"""The library's own troubles: a counter and one warning each, never an exception."""

import logging

import pytest

from observabilipy.instruments import Registry


def counted(registry: Registry) -> dict[tuple[str, ...], object]:
    return {(s.name, *s.labels.values()): s.value for s in registry.collect(1.0).samples}


def test_each_trouble_is_counted_every_time_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    for _ in range(2):
        registry.troubles.dropped("INFO", "buffer_full", 3)
        registry.troubles.overflowed("hits_total", 5)
        registry.troubles.refused("queue", 1)
        registry.troubles.hidden("wait", 1)
        registry.troubles.failed("maintenance", OSError("no space"))
        registry.troubles.lost("jobs_total", 1)
        registry.troubles.left_out("a is left out beside b")
        registry.troubles.cut("time")
        registry.troubles.turned_away("heavy")
        registry.troubles.evicted("DEBUG", 7)
        registry.troubles.evicted_points(9)

    assert counted(registry) == {
        ("observabilipy_log_entries_dropped_total", "INFO", "buffer_full"): 6,
        ("observabilipy_series_overflow_total", "hits_total"): 10,
        ("observabilipy_rejected_total", "series_limit"): 2,
        ("observabilipy_hidden_samples_total", "wait"): 2,
        ("observabilipy_failures_total", "maintenance"): 2,
        ("observabilipy_samples_dropped_total", "jobs_total"): 2,
        ("observabilipy_families_left_out_total",): 2,
        ("observabilipy_queries_cut_total", "time"): 2,
        ("observabilipy_queries_refused_total", "heavy"): 2,
        ("observabilipy_log_entries_evicted_total", "DEBUG"): 14,
        ("observabilipy_history_points_evicted_total",): 18,
    }
    assert [record.getMessage() for record in caplog.records] == [
        "log entries are dropped (buffer_full); observabilipy_log_entries_dropped_total counts them by level",
        "hits_total reached its series limit: further label values are counted under __overflow__;"
        " find the label with too many values, or raise series_limit",
        "queue reached its series limit and refuses new gauges;"
        " find the label with too many values, or raise series_limit",
        "wait is reported under two kinds: only the newest definition is shown",
        "maintenance failed: OSError: no space; observabilipy_failures_total counts it",
        "samples of jobs_total were given up: the storage does not take them",
        "a is left out beside b",
        "/logs refuses queries for now (heavy): as many are answered as one process may;"
        " observabilipy_queries_refused_total counts them",
        "the storage has reached max_bytes: the oldest log entries are deleted before their retention says so;"
        " observabilipy_log_entries_evicted_total counts them. Raise max_bytes, or keep less",
        "the storage has reached max_bytes without any log: the oldest history is deleted;"
        " observabilipy_history_points_evicted_total counts its points. Raise max_bytes, or report fewer series",
    ]


def test_a_handler_of_the_application_that_raises_reaches_nobody() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError

    handler = Broken()
    logging.getLogger("observabilipy").addHandler(handler)
    try:
        Registry().troubles.failed("maintenance", OSError("no space"))
    finally:
        logging.getLogger("observabilipy").removeHandler(handler)
