"""Settings for every test of the workspace."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("observabilipy.testing")

# No test asserts a duration: the machine may be busy with something else.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
