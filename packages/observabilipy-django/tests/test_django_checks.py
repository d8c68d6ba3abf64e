"""The system checks: what each of them says, and that good settings are silent."""

import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import Tags, run_checks

from observabilipy import LevelRetentionPolicy, RetentionPolicy
from observabilipy_django.configuration import KEYS

sys.path.insert(0, str(Path(__file__).parent))
import django_project as project

GOOD: dict[str, Any] = {
    "STORAGE": "ring://?entries=10",
    "SERVICE": "shop",
    "AUTH": ["one", "two"],
    "METRICS_AUTH": "public",
    "LEVEL": "info",
    "LOG_RETENTION": LevelRetentionPolicy({"ERROR": RetentionPolicy(max_age=10)}, default=RetentionPolicy.forever()),
    "HISTORY_RETENTION": RetentionPolicy(max_age=60),
    "FLUSH_INTERVAL": 1,
    "HISTORY_INTERVAL": 0.5,
    "COLLECTORS": ["process"],
    "STRICT": True,
    "HEALTH": True,
    "CREATED": True,
    "HANDLE_SIGTERM": False,
    "ACCESS_LOG": False,
    "REQUEST_IDS": False,
    "BODY_SIZES": True,
    "EXCLUDE": ["/health", "/static/*"],
    "PERMISSION": "django_project.only_bob",
}


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OBSERVABILIPY_TOKEN", "OBSERVABILIPY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def found(*, deploy: bool = False, **changed: Any) -> list[tuple[str, str, str]]:
    """Id, message and hint of everything that our checks say."""
    with project.configured(**changed):
        messages = run_checks(include_deployment_checks=deploy)
    ours = [message for message in messages if (message.id or "").startswith("observabilipy.")]
    return [(str(m.id).partition(".")[2], m.msg, m.hint or "") for m in ours]


def ids(**changed: Any) -> list[str]:
    return [name for name, _, _ in found(**changed)]


def test_good_settings_are_silent() -> None:
    assert (found(OBSERVABILIPY=GOOD), found(OBSERVABILIPY={})) == ([], [])


def test_every_key_is_tried_above() -> None:
    assert GOOD.keys() == KEYS.keys()


@pytest.mark.parametrize(
    ("key", "hint"),
    [("STORGE", "write 'STORAGE'"), ("auth", "write 'AUTH'"), ("X", f"leave it out; there are {', '.join(KEYS)}")],
)
def test_e001_a_key_that_does_not_exist(key: str, hint: str) -> None:
    assert found(OBSERVABILIPY={key: 1}) == [("E001", f"OBSERVABILIPY has no key {key!r}", hint)]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("STORAGE", "observability.db", "a storage URL looks like"),
        ("STORAGE", "postgres://", 'no storage adapter for "postgres://"'),
        ("STORAGE", None, "storage must be a storage URL or a storage"),
        ("SERVICE", 7, "service must be a string, got 7"),
        ("AUTH", "", "a token of auth must not be empty"),
        ("AUTH", 7, "auth must be a token"),
        ("METRICS_AUTH", [], "auth holds no token"),
        ("LEVEL", "LOUD", "level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got 'LOUD'"),
        ("LEVEL", None, "level must be one of"),
        ("LOG_RETENTION", 7, "log_retention must be a RetentionPolicy or a LevelRetentionPolicy, got 7"),
        ("HISTORY_RETENTION", 7, "history_retention must be a RetentionPolicy, got 7"),
        ("FLUSH_INTERVAL", "1", "flush_interval must be a positive number, got '1'"),
        ("HISTORY_INTERVAL", 0, "history_interval must be a positive number, got 0"),
        ("COLLECTORS", "process", "collectors must be some of 'process', 'python', 'library', got 'process'"),
        ("STRICT", 1, "strict must be True or False, got 1"),
        ("HEALTH", "yes", "health must be True or False, got 'yes'"),
        ("HANDLE_SIGTERM", None, "handle_sigterm must be True or False, got None"),
        ("ACCESS_LOG", None, "access_log must be True or False, got None"),
        ("REQUEST_IDS", 0, "request_ids must be True or False, got 0"),
        ("BODY_SIZES", 0, "body_sizes must be True or False, got 0"),
        ("EXCLUDE", "/health", "exclude must be a list of paths, got '/health'"),
        ("EXCLUDE", ["health"], "exclude takes paths that begin with a slash, got 'health'"),
        ("PERMISSION", True, "permission must be 'staff', the dotted path of a callable or None, got True"),
        ("PERMISSION", "may read", "permission must be 'staff'"),
    ],
)
def test_e002_a_value_that_cannot_work(key: str, value: object, says: str) -> None:
    [(name, message, hint)] = found(OBSERVABILIPY={key: value})

    assert (name, message.startswith(f"OBSERVABILIPY[{key!r}] cannot work: {says}"), hint) == (
        "E002",
        True,
        KEYS[key][1],
    )


def test_e002_no_dictionary_at_all() -> None:
    assert found(OBSERVABILIPY="sqlite:///observability.db") == [
        (
            "E002",
            "the setting OBSERVABILIPY must be a dictionary, got str",
            "write OBSERVABILIPY = {'STORAGE': 'sqlite:///observability.db'}",
        )
    ]


def test_a_token_is_never_shown() -> None:
    assert "s3cret" not in str(found(OBSERVABILIPY={"AUTH": "s3cret\n\x00"}))


@pytest.mark.parametrize(
    ("permission", "says"),
    [
        ("django_project.nothing_there", "cannot be imported"),
        ("nowhere.may_read", "cannot be imported"),
        ("django_project.NO_FUNCTION", "is no plain function"),
        ("django_project.asynchronous", "is no plain function"),
    ],
)
def test_e003_a_permission_that_is_not_there(permission: str, says: str) -> None:
    [(name, message, _)] = found(OBSERVABILIPY={"PERMISSION": permission})

    assert (name, message.startswith(f"OBSERVABILIPY['PERMISSION'] {permission!r} {says}")) == ("E003", True)


class FileStorage:
    """As much of a storage as the check looks at; adapters that are not installed here have such a path, too."""

    def __init__(self, path: Path) -> None:
        self.path = path


@pytest.mark.parametrize("name", ["STATIC_ROOT", "MEDIA_ROOT", "STATICFILES_DIRS"])
def test_e004_a_file_that_is_served_to_everyone(name: str, tmp_path: Path) -> None:
    roots: Any = [("prefix", tmp_path)] if name == "STATICFILES_DIRS" else str(tmp_path)
    file = tmp_path / "below" / "observability.db"
    file.parent.mkdir()

    assert found(OBSERVABILIPY={"STORAGE": FileStorage(file)}, **{name: roots}) == [
        (
            "E004",
            f"the storage's file {str(file.resolve())!r} lies below {name} ({str(tmp_path.resolve())!r}),"
            " which is served to everyone",
            "write another path after 'sqlite:///' in OBSERVABILIPY['STORAGE']",
        )
    ]


def test_a_file_beside_what_is_served_is_fine(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "observability.db")

    assert ids(OBSERVABILIPY={"STORAGE": storage}, STATIC_ROOT=tmp_path / "static", MEDIA_ROOT="") == []


def test_w001_the_middleware_is_missing() -> None:
    assert found(MIDDLEWARE=[]) == [
        (
            "W001",
            "requests are not recorded: MIDDLEWARE lacks observabilipy's",
            f"put {project.MIDDLEWARE!r} first in MIDDLEWARE",
        )
    ]


def test_w002_the_middleware_is_not_first() -> None:
    before = "django.middleware.common.CommonMiddleware"

    assert found(MIDDLEWARE=[before, project.MIDDLEWARE]) == [
        (
            "W002",
            f"requests that {before!r} answers itself are not recorded, and its time is not measured",
            f"put {project.MIDDLEWARE!r} first in MIDDLEWARE",
        )
    ]


SHARED = FileStorage(Path("observability.db"))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({}, ["W003"]),
        ({"PERMISSION": None}, ["W003"]),
        ({"PERMISSION": "django_project.only_bob"}, []),
        ({"AUTH": "secret"}, []),
        ({"AUTH": "secret", "METRICS_AUTH": "public"}, []),
        ({"AUTH": "public"}, ["W004"]),
    ],
)
def test_w003_and_w004_access_is_decided(setting: dict[str, Any], expected: list[str]) -> None:
    assert (ids(deploy=True, OBSERVABILIPY={"STORAGE": SHARED, **setting}), ids(OBSERVABILIPY=setting)) == (
        expected,
        [],
    )


def test_a_token_in_the_environment_is_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", "secret")

    assert ids(deploy=True, OBSERVABILIPY={"STORAGE": SHARED}) == []


def test_staff_is_a_decision_where_there_are_users(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not installed in earnest: its own checks would stay for all tests of this process.
    monkeypatch.setattr(apps, "is_installed", {"django.contrib.auth"}.__contains__)

    assert ids(deploy=True, OBSERVABILIPY={"STORAGE": SHARED}) == []


def test_w005_a_storage_of_one_process_in_a_deployment() -> None:
    assert (ids(deploy=True, OBSERVABILIPY={"AUTH": "secret"}), ids(OBSERVABILIPY={"AUTH": "secret"})) == (["W005"], [])


def test_the_checks_of_access_and_files_are_about_security() -> None:
    with project.configured(OBSERVABILIPY={"AUTH": "public"}):
        messages = run_checks(tags=[Tags.security], include_deployment_checks=True)

    assert [m.id for m in messages if (m.id or "").startswith("observabilipy.")] == ["observabilipy.W004"]


@pytest.mark.parametrize(("path", "problem"), [("", "is a directory"), ("no/such.db", "cannot be made: there is no")])
def test_e005_a_file_that_has_no_place(tmp_path: Path, path: str, problem: str) -> None:
    pytest.importorskip("observabilipy_sqlite", reason="the file is SQLite's")
    file = tmp_path / path if path else tmp_path
    found_checks = found(OBSERVABILIPY={"STORAGE": f"sqlite:///{file}"})

    assert [(name, problem in message) for name, message, _ in found_checks] == [("E005", True)]


@pytest.mark.parametrize(
    "variables",
    [
        {"OBSERVABILIPY_TOKEN": " "},
        {"OBSERVABILIPY_TOKEN_FILE": "no/such/file"},
        {"OBSERVABILIPY_TOKEN": "a", "OBSERVABILIPY_TOKEN_FILE": "b"},
    ],
)
def test_e006_a_token_of_the_environment_that_cannot_work(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert [name for name, _, _ in found(OBSERVABILIPY={})] == ["E006"]
