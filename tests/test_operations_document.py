"""docs/operations.md: Prometheus' own tool takes what is meant for it, and /logs what collectors are told to ask."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from observabilipy import Observability
from observabilipy.http import Request

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# Any: what YAML holds.
BLOCKS: list[Any] = [
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")


def only(key: str) -> Any:
    """The first block with this key."""
    return next(block for block in BLOCKS if key in block)


def promtool(*arguments: object) -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def written(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@needs_promtool
def test_prometheus_takes_the_configuration_and_the_rules(tmp_path: Path) -> None:
    config = only("scrape_configs")
    token = tmp_path / "token"
    token.write_text("letmein", encoding="utf-8")
    config["scrape_configs"][0]["authorization"]["credentials_file"] = str(token)
    rules = written(tmp_path / "rules.yml", only("groups"))
    config["rule_files"] = [str(rules)]

    assert promtool("check", "config", written(tmp_path / "prometheus.yml", config)) == ""


@needs_promtool
def test_the_rules_see_the_first_trouble_and_a_later_one_and_are_silent_between(tmp_path: Path) -> None:
    def alerts(at: str, *firing: str) -> dict[str, object]:
        labels = {"job": "shop", "task": "writing to the storage"}
        expected = [{"exp_labels": labels | {"alertname": alert}} for alert in firing]
        return {"eval_time": at, "alertname": "ObservabilityFails", "exp_alerts": expected}

    written(tmp_path / "rules.yml", only("groups"))
    trouble = 'observabilipy_failures_total{job="shop",task="writing to the storage"}'
    tests = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": trouble, "values": "_x30 1x60 2x60"}],
                "alert_rule_test": [
                    alerts("20m"),
                    alerts("35m", "ObservabilityFails"),
                    alerts("70m"),
                    alerts("95m", "ObservabilityFails"),
                    alerts("140m"),
                ],
            }
        ],
    }

    assert promtool("test", "rules", written(tmp_path / "tests.yml", tests)) == ""


# Not the packages, nor the variable that holds the context of a task.
METRIC = re.compile(r"\bobservabilipy_(?!(?:asgi|django|fastapi|sqlite|wsgi|context)\b)[a-z_]+")


def metrics_in(pattern: str) -> set[str]:
    """The metrics of our own that these files name."""
    return {name for path in ROOT.glob(pattern) for name in METRIC.findall(path.read_text(encoding="utf-8"))}


def test_metrics_that_the_page_names_are_ours() -> None:
    assert set(METRIC.findall(TEXT)) <= metrics_in("packages/*/src/**/*.py")


def test_the_page_names_every_counter_of_our_own_troubles() -> None:
    assert metrics_in("packages/*/src/observabilipy/troubles.py") - set(METRIC.findall(TEXT)) == set()


def test_the_pages_name_every_metric_of_our_own() -> None:
    assert metrics_in("packages/*/src/**/*.py") - metrics_in("docs/*.md") == set()


@pytest.fixture
def obs() -> Iterator[Observability]:
    with Observability("memory://", auth="public", collectors=()) as obs:
        yield obs


def asked(obs: Observability, parameters: dict[str, str]) -> list[dict[str, object]]:
    """The lines of an answer of /logs."""
    response = obs.endpoints.handle_sync(Request("GET", "/logs", urlencode(parameters).encode()))
    with closing(response.body):
        body = b"".join(response.body)
    assert response.status == 200, body
    return [json.loads(line) for line in body.splitlines()]


def test_what_filebeat_asks_gives_each_entry_once(obs: Observability) -> None:
    source = only("filebeat.inputs")["filebeat.inputs"][0]
    (place,) = [step["set"] for step in source["request.transforms"] if step["set"]["target"] == "url.params.after"]
    address = urlsplit(source["request.url"])
    parameters = dict(pair.split("=") for pair in address.query.split("&"))
    field = re.fullmatch(r"\[\[\.last_event\.(\w+)\]\]", source["cursor"]["after"]["value"])
    assert field is not None
    assert place["value"] == "[[.cursor.after]]"

    after, seen = place["default"], []
    for number in range(3):
        obs.info(f"entry {number}")
        obs.flush()
        for entry in asked(obs, {**parameters, "after": after}):
            seen.append(entry["message"])
            after = cast("str", entry[field[1]])
    nothing_new = asked(obs, {**parameters, "after": after})

    assert (address.path, seen, nothing_new) == ("/logs", ["entry 0", "entry 1", "entry 2"], [])


def test_what_vector_asks_gives_what_its_transforms_look_at(obs: Observability) -> None:
    (config,) = [block for block in BLOCKS if "transforms" in block]
    query = config["sources"]["shop"]["query"]
    seconds = re.fullmatch(r"to_unix_timestamp\(now\(\)\) - (\d+)", query["since"]["value"])
    assert seconds is not None
    obs.info("entry")
    obs.flush()

    (entry,) = asked(obs, {"limit": query["limit"], "since": str(int(time.time()) - int(seconds[1]))})

    (identity,) = config["transforms"]["shop_once"]["fields"]["match"]
    assert (identity in entry, ".timestamp" in config["transforms"]["shop_timed"]["source"]) == (True, True)
