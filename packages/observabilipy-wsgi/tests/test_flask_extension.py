"""The Flask extension: how it is set up, by arguments and configuration, and what it refuses."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, url_for

from observabilipy import ConfigurationError, Observability, current, installation, process
from observabilipy_wsgi.flask import Observabilipy

Make = Callable[..., Flask]


@pytest.fixture(autouse=True)
def nothing_installed_and_nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also what an extension made before it refused an application: the next record would wake it."""
    monkeypatch.setattr(installation, "_find", lambda: None)
    before = set(process._living)
    yield
    for left in process._living - before:
        left.close()


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes applications with a configuration; afterwards what they record is closed."""
    apps: list[Flask] = []

    def made(**config: object) -> Flask:
        app = Flask(f"app{len(apps)}")
        app.config.from_mapping(config)
        app.config.setdefault("OBSERVABILIPY_HANDLE_SIGTERM", False)
        apps.append(app)
        return app

    yield made
    for app in apps:
        if "observabilipy" in app.extensions:
            app.extensions["observabilipy"].close()


def get(app: Flask, path: str, **options: Any) -> tuple[int, str]:
    answer = app.test_client().get(path, **options)
    return answer.status_code, answer.text


def test_one_line_gives_an_application_everything(make: Make) -> None:
    app = make(OBSERVABILIPY_AUTH="public")
    app.add_url_rule("/items/<item>", view_func=lambda item: "ok")
    Observabilipy(app)
    get(app, "/items/7")

    assert (json.loads(get(app, "/logs")[1])["message"], "/items/{item}" in get(app, "/metrics")[1]) == (
        "GET /items/7 200",
        True,
    )


def test_the_endpoints_are_closed_until_somebody_decides(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSERVABILIPY_TOKEN", raising=False)
    monkeypatch.delenv("OBSERVABILIPY_TOKEN_FILE", raising=False)
    app = make()
    Observabilipy(app)

    assert [get(app, path)[0] for path in ("/metrics", "/logs", "/health")] == [403, 403, 404]


def test_a_token_opens_the_endpoints(make: Make) -> None:
    app = make(OBSERVABILIPY_AUTH="letmein")
    Observabilipy(app)

    refused = app.test_client().get("/logs")
    assert (
        refused.headers.getlist("WWW-Authenticate"),
        get(app, "/logs", headers={"Authorization": "Bearer letmein"})[0],
    ) == (["Bearer", 'Basic realm="observabilipy"'], 200)


def test_the_endpoints_have_security_headers_and_refuse_other_methods_themselves(make: Make) -> None:
    app = make(OBSERVABILIPY_AUTH="public")
    Observabilipy(app)
    answer = app.test_client().options("/metrics")

    assert (answer.status_code, answer.headers["Allow"], answer.headers["X-Content-Type-Options"]) == (
        405,
        "GET, HEAD",
        "nosniff",
    )


def test_the_endpoints_are_a_blueprint(make: Make) -> None:
    app = make(OBSERVABILIPY_PREFIX="/internal", OBSERVABILIPY_HEALTH=True)
    Observabilipy(app)

    with app.test_request_context():
        paths = [url_for(f"observabilipy.{name}") for name in ("metrics", "logs", "health")]
    assert (paths, "observabilipy" in app.blueprints, get(app, "/internal/health")) == (
        ["/internal/metrics", "/internal/logs", "/internal/health"],
        True,
        (200, '{"status":"ok"}'),
    )


def test_the_configuration_counts_more_than_the_arguments(make: Make) -> None:
    app, other = make(OBSERVABILIPY_SERVICE="configured", OBSERVABILIPY_PREFIX="/configured"), make()
    extension = Observabilipy(service="argument", prefix="/argument", auth="public")
    extension.init_app(app)
    extension.init_app(other)

    assert [
        (each.extensions["observabilipy"].service, get(each, "/configured/logs")[0], get(each, "/argument/logs")[0])
        for each in (app, other)
    ] == [("configured", 200, 404), ("argument", 404, 200)]


def test_the_environment_sets_it_through_flask(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_OBSERVABILIPY_ACCESS_LOG", "false")
    monkeypatch.setenv("FLASK_OBSERVABILIPY_EXCLUDE", '["/health"]')
    app = make(OBSERVABILIPY_AUTH="public")
    app.config.from_prefixed_env()
    Observabilipy(app)
    get(app, "/nothing")

    assert get(app, "/logs") == (200, "")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"OBSERVABILIPY_STORGE": "memory://"},
            "no setting is called 'OBSERVABILIPY_STORGE': did you mean 'OBSERVABILIPY_STORAGE'?",
        ),
        (
            {"OBSERVABILIPY_TOKEN": "letmein"},
            "no setting is called 'OBSERVABILIPY_TOKEN': did you mean 'OBSERVABILIPY_AUTH'?",
        ),
        (
            {"OBSERVABILIPY_ACCESS_LOG": "False"},
            "OBSERVABILIPY_ACCESS_LOG must be True or False, got 'False'",
        ),
        (
            {"OBSERVABILIPY_PREFIX": "internal"},
            "prefix must be empty, or begin with a slash and not end with one, got 'internal': write '/internal'",
        ),
        (
            {"OBSERVABILIPY_EXCLUDE": "/health"},
            "exclude takes a list of paths that begin with a slash, got '/health': write ['/health']",
        ),
    ],
)
def test_a_setting_that_cannot_work_is_refused(make: Make, config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Observabilipy(make(**config))

    assert str(refused.value) == message


def test_an_argument_that_nobody_knows_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Observabilipy(servce="shop")

    assert str(refused.value) == "no setting is called 'servce': did you mean 'service'?"


def test_a_second_time_is_refused(make: Make) -> None:
    app = make()
    extension = Observabilipy(app)

    with pytest.raises(ConfigurationError) as refused:
        extension.init_app(app)
    assert str(refused.value) == (
        "this application has observabilipy already: call init_app() once, and use app.extensions['observabilipy'] or"
        " current()"
    )


def test_a_path_that_the_application_has_already_is_refused(make: Make) -> None:
    app = make()
    app.add_url_rule("/metrics", endpoint="mine", view_func=lambda: "mine", methods=["POST"])

    with pytest.raises(ConfigurationError) as refused:
        Observabilipy(app)
    assert (str(refused.value), get(app, "/logs")[0]) == (
        "the application has '/metrics' already (its endpoint 'mine'): set OBSERVABILIPY_PREFIX = '/internal' or"
        " another place for ours",
        404,
    )


def test_an_observability_is_used_as_it_is(make: Make) -> None:
    with Observability(handle_sigterm=False) as obs:
        first, second = Flask("first"), Flask("second")
        extension = Observabilipy(storage=obs)
        extension.init_app(first)
        extension.init_app(second)

        assert (first.extensions["observabilipy"], second.extensions["observabilipy"], extension.obs) == (obs, obs, obs)


def test_an_observability_cannot_be_set_up_once_more() -> None:
    with Observability(handle_sigterm=False) as obs, pytest.raises(ConfigurationError) as refused:
        Observabilipy(Flask("shop"), obs, service="shop")

    assert str(refused.value) == (
        "an Observability is used as it is, so the extension cannot set its service: give that to Observability(...)"
        " itself"
    )


def test_each_application_of_a_factory_has_its_own(make: Make) -> None:
    first, second = make(), make()
    extension = Observabilipy()
    extension.init_app(first)
    alone = extension.obs
    extension.init_app(second)
    with first.app_context():
        in_first = extension.obs, current()
    with second.app_context():
        in_second = extension.obs, current()

    own = [app.extensions["observabilipy"] for app in (first, second)]
    assert (alone, in_first, in_second, current()) == (own[0], (own[0], own[0]), (own[1], own[1]), own[1])


@pytest.mark.parametrize(
    ("count", "which"), [(0, "no application"), (2, "several applications"), (3, "several applications")]
)
def test_which_application_is_meant_must_be_told(make: Make, count: int, which: str) -> None:
    extension = Observabilipy()
    for _ in range(count):
        extension.init_app(make())

    with pytest.raises(ConfigurationError) as refused:
        extension.obs  # noqa: B018 - it raises
    assert str(refused.value) == (
        f"this extension has {which}, and none of them is current: call init_app(app), then ask within"
        " app.app_context() or use app.extensions['observabilipy']"
    )


def test_nothing_starts_before_the_first_record(tmp_path: Path) -> None:
    program = """if True:
        import threading
        from flask import Flask
        from observabilipy_wsgi.flask import Observabilipy
        app = Flask("shop")
        obs = Observabilipy(app, auth="public").obs
        obs.counter("orders_total", "Orders placed.")
        before = threading.active_count()
        app.test_client().get("/nothing")
        print(before, threading.active_count())
        obs.close()
    """
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, cwd=tmp_path
    )

    assert ran.stdout == "1 2\n"


def test_without_flask_the_message_says_what_to_install() -> None:
    script = "import sys; sys.modules['flask'] = None; import observabilipy_wsgi.flask"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=False)

    assert 'ImportError: import of flask halted; None in sys.modules: pip install "observabilipy-wsgi[flask]"' in (
        done.stderr
    )
