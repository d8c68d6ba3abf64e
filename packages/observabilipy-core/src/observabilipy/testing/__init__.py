"""What storages promise, as tests that every storage runs: the contract of ``observabilipy.ports``.

A storage adapter inherits one class per port, says how to build the storage, and runs the rest with pytest (async tests
need a plugin, such as pytest-asyncio in its auto mode):

    from observabilipy.testing import FakeClock, LogStorageContract

    class TestOurLogs(LogStorageContract):
        def make_storage(self, clock: FakeClock) -> OurStorage:
            return OurStorage(clock=clock)

===========================  =====================  ==================================================================
contract                     port                   hooks to override
===========================  =====================  ==================================================================
``LogStorageContract``       LogStoragePort         ``make_storage(self, clock)``: a new, empty storage
``MetricsStorageContract``   MetricsStoragePort     ``make_storage(self, clock)``: a new, empty storage
``RuntimeStorageContract``   RuntimeStoragePort     ``make_storage(self, clock)``: a new, empty storage
``HistoryContract``          RuntimeStoragePort     ``make_storage(self, clock)``: a new, empty storage
``NdjsonContract``           NdjsonPort             ``make_storage(self, clock)``: a new, empty log storage
``VolumeContract``           VolumePort             ``make_storage(self, clock)``: a new, empty log storage
``SharedStorageContract``    RuntimeStoragePort     ``make_storage(self, clock)``, and ``make_sibling(self, storage,
                                                    clock)``: another instance on the same store (a second connection,
                                                    say), for stores that processes share; others leave the class out
===========================  =====================  ==================================================================

Give each contract a test class of its own: they share names of tests, so one class that inherits several would run only
some of them.

A storage is built with the FakeClock that the test moves; worker lifetimes, the lease and idle times must follow it.
Every test builds its storages with these hooks alone (by way of ``opened()``, which may be overridden too, and leaves
the clock in ``self.clock``), and awaits ``aclose()`` on each at its end. Entries, samples and the clock begin at
``NOON``, 1,800,000,000 unix seconds: a storage must not drop them for their age by itself.

The modules import no test framework. For failures that show both sides, say
``pytest.register_assert_rewrite("observabilipy.testing")`` in your conftest.py before the import.
"""

from observabilipy.testing.clock import FakeClock
from observabilipy.testing.history_contract import HistoryContract
from observabilipy.testing.log_contract import LogStorageContract
from observabilipy.testing.metrics_contract import MetricsStorageContract
from observabilipy.testing.ndjson_contract import NdjsonContract
from observabilipy.testing.runtime_contract import RuntimeStorageContract
from observabilipy.testing.shared_contract import SharedStorageContract
from observabilipy.testing.volume_contract import VolumeContract

__all__ = [
    "FakeClock",
    "HistoryContract",
    "LogStorageContract",
    "MetricsStorageContract",
    "NdjsonContract",
    "RuntimeStorageContract",
    "SharedStorageContract",
    "VolumeContract",
]
