"""Settings for every test of the workspace."""

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("observabilipy.testing")

# No test asserts a duration: the machine may be busy with something else.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell starts what it runs in the background with SIGINT ignored, and so would be all programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
