"""The demo's shop, and what the demo refuses to begin with."""

import argparse
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from observabilipy import ConfigurationError, current
from observabilipy_asgi.testing import fetch
from observabilipy_fastapi import demo
from observabilipy_fastapi.shop import create_shop


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    monkeypatch.setenv("OBSERVABILIPY_TOKEN", "secret")
    yield create_shop()
    current().close()


async def test_the_shop_counts_its_orders_and_what_they_bring(shop: FastAPI) -> None:
    statuses = [
        (await fetch(shop, request)).status
        for request in (
            "GET /products/1",
            "POST /products/1/orders",
            "POST /products/2/orders",
            "POST /products/404/orders",
            "GET /recommendations",
        )
    ]
    metrics = await fetch(shop, "GET /metrics", token="secret")
    counted = [line for line in metrics.body.decode().splitlines() if line.startswith(("orders_total", "revenue"))]

    assert (statuses, counted) == (
        [200, 200, 200, 404, 500],
        ['orders_total{product="1"} 1', 'orders_total{product="2"} 1', "revenue_cents_total 6899"],
    )


def test_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argparse.ArgumentParser()
    demo.command.configure(parser)
    monkeypatch.setattr(demo, "find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError, match=r"pip install 'observabilipy-fastapi\[demo\]'"):
        demo.command.run(parser.parse_args([]))


def test_the_demo_needs_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argparse.ArgumentParser()
    demo.command.configure(parser)
    monkeypatch.setattr(demo, "find_spec", lambda _name: object())

    with pytest.raises(ConfigurationError, match="--workers must be 1 or more, got 0"):
        demo.command.run(parser.parse_args(["--workers", "0"]))
