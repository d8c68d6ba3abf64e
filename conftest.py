"""Settings for every test of the workspace."""

import pytest

pytest.register_assert_rewrite("observabilipy.testing")
