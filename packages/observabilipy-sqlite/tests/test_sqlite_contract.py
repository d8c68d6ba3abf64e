"""The storage contract, run by SQLite."""

import tempfile
from pathlib import Path

import pytest

from observabilipy.ports import RuntimeStoragePort
from observabilipy.testing import (
    FakeClock,
    HistoryContract,
    LogStorageContract,
    MetricsStorageContract,
    NdjsonContract,
    RuntimeStorageContract,
    SharedStorageContract,
    VolumeContract,
)
from observabilipy_sqlite import SQLiteStorage

pytestmark = pytest.mark.contract


class _Made:
    """Makes each storage in a directory of its own."""

    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_storage(self, clock: FakeClock) -> SQLiteStorage:
        return SQLiteStorage(Path(tempfile.mkdtemp(dir=self.directory)) / "obs.db", clock=clock)

    def make_sibling(self, storage: RuntimeStoragePort, clock: FakeClock) -> SQLiteStorage:
        assert isinstance(storage, SQLiteStorage)
        return SQLiteStorage(storage.path, clock=clock)


class TestSQLiteLogs(_Made, LogStorageContract):
    pass


class TestSQLiteNdjson(_Made, NdjsonContract):
    pass


class TestSQLiteVolume(_Made, VolumeContract):
    pass


class TestSQLiteMetrics(_Made, MetricsStorageContract):
    pass


class TestSQLiteRuntime(_Made, RuntimeStorageContract):
    pass


class TestSQLiteHistory(_Made, HistoryContract):
    pass


class TestSQLiteShared(_Made, SharedStorageContract):
    pass
