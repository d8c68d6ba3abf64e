"""A storm of malformed requests over a small application in each framework, in a process of its own.

``STORM_SEED`` repeats one, ``STORM_REQUESTS`` makes it longer or shorter.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.storm

ROOT = Path(__file__).parents[2]
REQUESTS = int(os.environ.get("STORM_REQUESTS", "100_000"))
SHARES = {"asgi": 1.0, "fastapi": 1.0, "wsgi": 1.0, "flask": 1.0, "django-wsgi": 1.0, "django-asgi": 0.1}
"""How much of the storm each application gets. Under ASGI, Django itself takes 2 ms for a request: threads."""

GROWTH_BYTES = 4 * 2**20
"""That a process may grow after the first third of a storm."""

FOUND = {
    "faults": {},
    "troubles": {},
    "endpoint_statuses": [200, 400, 401, 405],
    "methods": ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", "_OTHER"],
    "routes": ["/items/{item}", "/stream", "__unmatched__"],
    "entries": 100,
}
"""No fault, and every kind of answer; no more methods, routes and entries than there may be."""


@pytest.mark.parametrize("name", SHARES)
def test_a_storm_of_malformed_requests_does_no_harm(name: str) -> None:
    seed = int(os.environ.get("STORM_SEED") or random.SystemRandom().randrange(10**9))
    requests = int(REQUESTS * SHARES[name])
    print(f"STORM_SEED={seed} STORM_REQUESTS={REQUESTS}")
    command = [sys.executable, "-W", "error", "-m", "tests.storm.storm", name, str(requests), str(seed)]
    storm = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    print(storm.stdout, storm.stderr[-5_000:], sep="\n")
    saw = json.loads(storm.stdout or "{}")

    assert saw["found"] == FOUND
    assert saw["grown_bytes"] < GROWTH_BYTES
