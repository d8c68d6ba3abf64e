"""SIGTERM: what was answered is committed, however long the flush interval is."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from observabilipy import LogQuery
from observabilipy_sqlite import SQLiteStorage

if TYPE_CHECKING:
    from tests.e2e.conftest import Server

pytestmark = pytest.mark.e2e


def test_a_service_that_is_stopped_loses_nothing(serve: "Callable[..., Server]") -> None:
    server = serve(workers=2, flush_interval=3600)
    answered = server.order(range(200))
    server.terminate()

    async def kept() -> tuple[object, set[object]]:
        storage = SQLiteStorage(server.directory / "observability.db")
        totals = [series.value async for family in storage.totals(["orders_total"]) for series in family.series]
        paths = {entry.attributes["path"] async for entry in storage.read_logs(LogQuery())}
        await storage.aclose()
        return totals, paths

    assert (len(answered), asyncio.run(kept())) == (200, ([200], {f"/orders/{number}" for number in range(200)}))
