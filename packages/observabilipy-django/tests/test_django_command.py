"""``manage.py observability``, called in process and as people call it."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

sys.path.insert(0, str(Path(__file__).parent))
import django_project as project

HERE = Path(__file__).parent


def printed(*arguments: str, **setting: Any) -> str:
    out = io.StringIO()
    with project.configured(OBSERVABILIPY=setting):
        call_command("observability", *arguments, stdout=out)
    return out.getvalue()


def manage(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run ``manage.py`` with the project of these tests, which keeps nothing beyond the process."""
    (cwd / "shop_settings.py").write_text(
        "from django_project import PROJECT\n"
        "globals().update(PROJECT)\n"
        "OBSERVABILIPY = {'AUTH': 'public', 'STORGE': 'memory://'}\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(cwd), str(HERE)])
    environ = {**os.environ, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "shop_settings"}
    command = [sys.executable, "-m", "django", *arguments]
    return subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("storage", ["memory://", "ring://?entries=5"])
def test_a_storage_of_another_process_cannot_be_read(storage: str) -> None:
    with pytest.raises(CommandError) as raised:
        printed("tail", "--no-follow", STORAGE=storage)

    assert str(raised.value) == (
        f"OBSERVABILIPY['STORAGE'] is {storage!r}, which only its own process can read: name the service,"
        " http(s)://host/observability, or write 'sqlite:///observability.db' into the settings"
    )


def test_a_source_may_be_named() -> None:
    nothing = printed("tail", "--no-follow", "--source", "memory://")

    assert (nothing, "LOG" in printed("stats", "-o", "text", "--source", "memory://")) == ("", True)


def test_the_verbs_work_on_the_storage_of_the_settings(tmp_path: Path) -> None:
    pytest.importorskip("observabilipy_sqlite", reason="it needs a file")
    url = f"sqlite:///{tmp_path / 'log.db'}"
    lines = tmp_path / "lines.ndjson"
    lines.write_text('{"ts": 1763826000, "msg": "from elsewhere"}\n', encoding="utf-8")

    assert (
        printed("import", str(lines), STORAGE=url),
        printed("logs", "-o", "text", STORAGE=url),
        printed("query", "orders_total", STORAGE=url),
        printed("prune", "--older-than", "1d", "-y", STORAGE=url).split(" from ")[0],
        printed("export", STORAGE=url),
    ) == (
        "1 entries imported, 0 lines not taken\n",
        "2025-11-22T15:40:00.000Z INFO     from elsewhere\n",
        "",
        "deleted 1 entries",
        "",
    )


def test_arguments_that_do_not_go_together_end_with_exit_code_2(tmp_path: Path) -> None:
    done = manage("observability", "prune", "--source", "memory://", cwd=tmp_path)

    assert (done.returncode, done.stderr.startswith("CommandError: prune needs to know what may go")) == (2, True)


def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"there is no file 'nothing\.db'"):
        printed("tail", "--no-follow", "--source", "nothing.db")


def test_the_command_runs_in_a_project_whose_settings_cannot_work(tmp_path: Path) -> None:
    done = manage("observability", "stats", "-o", "text", "--source", "memory://", cwd=tmp_path)

    assert (done.returncode, done.stdout.startswith("LOG"), done.stderr) == (0, True, "")


def test_the_help_says_where_the_storage_comes_from(tmp_path: Path) -> None:
    done = manage("observability", "tail", "--help", cwd=tmp_path)

    assert (done.returncode, "(default: OBSERVABILIPY['STORAGE'])" in " ".join(done.stdout.split())) == (0, True)


def test_an_error_has_no_traceback(tmp_path: Path) -> None:
    done = manage("observability", "tail", cwd=tmp_path)

    assert (done.returncode, done.stderr.count("\n"), done.stderr.startswith("CommandError: OBSERVABILIPY")) == (
        1,
        1,
        True,
    )


def test_check_tells_the_nearest_key(tmp_path: Path) -> None:
    done = manage("check", "--deploy", cwd=tmp_path)

    assert (done.returncode, "(observabilipy.E001)" in done.stderr, "HINT: write 'STORAGE'" in done.stderr) == (
        1,
        True,
        True,
    )


def test_no_error_can_drive_a_terminal() -> None:
    with pytest.raises(CommandError) as raised:
        call_command("observability", "logs", source="http://127.0.0.1:1/\x9b2J")

    assert str(raised.value).isprintable()
