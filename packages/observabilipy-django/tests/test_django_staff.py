"""Staff read without a token: Django's own users, sessions and required logins, in a process of their own.

Django's apps register checks and models for as long as a process lives, which the other tests would meet.
"""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = """
import asyncio

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.sqlite3", "ATOMIC_REQUESTS": True}},
    INSTALLED_APPS=[
        "observabilipy_django", "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"
    ],
    MIDDLEWARE=[
        "observabilipy_django.middleware.ObservabilityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ],
    OBSERVABILIPY={"AUTH": "secret"},
    ROOT_URLCONF="observabilipy_django.urls",
    SECRET_KEY="only for tests",
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import AsyncClient, Client

call_command("migrate", verbosity=0)
boss = User.objects.create_user("boss", is_staff=True)
left = User.objects.create_user("left", is_staff=True, is_active=False)
bob = User.objects.create_user("bob")


def status(user, **headers):
    client = Client(headers=headers)
    if user is not None:
        client.force_login(user)
    return client.get("/logs").status_code


async def async_status(user):
    client = AsyncClient()
    await client.aforce_login(user)
    return (await client.get("/logs")).status_code


print([status(user) for user in (boss, left, bob, None)], status(None, Authorization="Bearer secret"))
print([asyncio.run(async_status(user)) for user in (boss, bob)])
"""


def test_active_staff_and_tokens_are_let_in(tmp_path: Path) -> None:
    (tmp_path / "project.py").write_text(PROJECT, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVABILIPY_")}
    done = subprocess.run(
        [sys.executable, "project.py"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == [
        "[200, 401, 401, 401] 200",
        "[200, 401]",
    ], done.stderr
