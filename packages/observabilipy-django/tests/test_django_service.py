"""The Observability of a Django process: made when it is needed, from the settings of that moment."""

import logging
import logging.config
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.test import override_settings

from observabilipy import ConfigurationError, Observability, current
from observabilipy_django import service as service_module
from observabilipy_django.service import Service, service

sys.path.insert(0, str(Path(__file__).parent))
import django_project as project

servers = pytest.mark.parametrize("server", [project.by_wsgi, project.by_asgi], ids=["wsgi", "asgi"])


def test_the_current_observability_is_that_of_the_settings() -> None:
    with project.running(SERVICE="shop", LEVEL="warning") as obs:
        assert (current() is obs, obs.service, obs.level) == (True, "shop", "WARNING")


def test_another_setting_gives_another_observability_and_closes_the_first() -> None:
    with project.running(SERVICE="first") as first:
        with override_settings(OBSERVABILIPY={"SERVICE": "second", "HANDLE_SIGTERM": False}):
            second = current()
        third = current()

        assert ([first.service, second.service, third.service], len({first, second, third})) == (
            ["first", "second", "first"],
            3,
        )


def test_a_request_is_recorded_where_the_settings_say_now() -> None:
    with project.running():
        project.by_wsgi("GET /items/1")
        with override_settings(OBSERVABILIPY={"HANDLE_SIGTERM": False}):
            project.by_wsgi("GET /items/2")

            assert [about["path"] for _, about in project.entries(current())] == ["/items/2"]


def test_a_setting_that_cannot_work_is_told_at_first_use_and_again() -> None:
    with project.running(), override_settings(OBSERVABILIPY={"LEVEL": "LOUD"}):
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"'LEVEL'.*got 'LOUD': write 'INFO'"):
                current()


def test_threads_that_ask_at_once_get_the_same() -> None:
    made = Service()
    found: list[Observability | None] = []
    ready = threading.Barrier(8)

    def ask() -> None:
        ready.wait()
        found.append(made.observability())

    with override_settings(OBSERVABILIPY={"HANDLE_SIGTERM": False}):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    made.reset()

    assert (len(found), len(set(found))) == (8, 1)


def test_what_is_logged_while_it_is_made_does_not_make_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def talkative(**arguments: Any) -> Observability:
        asked.append(service.observability())
        return Observability(**arguments)

    with project.running():
        monkeypatch.setattr(service_module, "Observability", talkative)
        with override_settings(OBSERVABILIPY={"HANDLE_SIGTERM": False}):
            service.observability()

    assert asked == [None]


def test_the_app_starts_nothing() -> None:
    with project.running() as obs:
        before = threading.active_count()
        with override_settings(OBSERVABILIPY={"STORAGE": "nonsense"}):
            apps.get_app_config("observabilipy").ready()

        assert (threading.active_count(), obs.runtime.has_news()) == (before, False)


@servers
@pytest.mark.parametrize(("path", "message"), [("/items/7", "in a thread"), ("/async/7", "in the loop")])
def test_the_logging_setting_brings_what_views_log_with_the_ids_of_their_request(
    server: project.Server, path: str, message: str
) -> None:
    with project.running() as obs:
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"observability": {"class": "observabilipy.LoggingHandler"}},
                "loggers": {"shop": {"handlers": ["observability"], "level": "INFO"}},
            }
        )
        try:
            server(f"GET {path}", {"X-Request-ID": "abc"})
        finally:
            logging.getLogger("shop").handlers.clear()
            logging.getLogger("shop").setLevel(logging.NOTSET)

        assert [(m, about["request_id"]) for m, about in project.entries(obs) if "logger" in about] == [
            (message, "abc")
        ]
