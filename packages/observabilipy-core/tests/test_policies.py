"""Retention policies: what may be said."""

import re

import pytest

from observabilipy.errors import ConfigurationError
from observabilipy.models import LevelRetentionPolicy, RetentionPolicy


def refused(message: str) -> "pytest.RaisesExc[ConfigurationError]":
    return pytest.RaisesExc(ConfigurationError, match=f"^{re.escape(message)}$")


WEEK = RetentionPolicy(max_age=7 * 86_400)


def test_a_policy_without_a_limit_is_refused() -> None:
    with refused(
        "retention needs max_age, max_count or max_bytes, got none: to keep everything say RetentionPolicy.forever()"
    ):
        RetentionPolicy()


@pytest.mark.parametrize("limit", ["max_age", "max_count", "max_bytes"])
@pytest.mark.parametrize("value", [0, -5])
def test_a_limit_that_is_not_positive_is_refused(limit: str, value: int) -> None:
    with refused(f"retention {limit} must be positive, got {value}"):
        RetentionPolicy(**{limit: value})  # type: ignore[arg-type] # one of three names


@pytest.mark.parametrize("value", ["5", True, float("nan"), float("inf"), 10**400])
def test_an_age_that_is_no_number_of_seconds_is_refused(value: object) -> None:
    with refused(f"retention max_age must be a positive number of seconds, got {value!r}"):
        RetentionPolicy(max_age=value)  # type: ignore[arg-type] # the refusal is the test


@pytest.mark.parametrize("limit", ["max_count", "max_bytes"])
@pytest.mark.parametrize("value", ["5", True, 1.5])
def test_a_count_that_is_no_whole_number_is_refused(limit: str, value: object) -> None:
    with refused(f"retention {limit} must be a positive whole number, got {value!r}"):
        RetentionPolicy(**{limit: value})  # type: ignore[arg-type] # the refusal is the test


def test_forever_has_no_limit() -> None:
    policy = RetentionPolicy.forever()

    assert (policy.max_age, policy.max_count, policy.max_bytes) == (None, None, None)


def test_a_level_takes_its_own_policy_or_the_default() -> None:
    policy = LevelRetentionPolicy({" debug ": WEEK}, default=RetentionPolicy.forever())

    assert (policy.of("DEBUG"), policy.of("AUDIT")) == (WEEK, RetentionPolicy.forever())


def test_a_value_that_is_no_policy_is_refused() -> None:
    with refused("retention of ERROR must be a RetentionPolicy, got 7"):
        LevelRetentionPolicy({"ERROR": 7}, WEEK)  # type: ignore[dict-item] # the refusal is the test


def test_a_default_that_is_no_policy_is_refused() -> None:
    with refused("retention of default must be a RetentionPolicy, got None"):
        LevelRetentionPolicy({}, None)  # type: ignore[arg-type] # the refusal is the test


def test_levels_that_are_no_mapping_are_refused() -> None:
    with refused("retention levels must map names to policies, got ['ERROR']"):
        LevelRetentionPolicy(["ERROR"], WEEK)  # type: ignore[arg-type] # the refusal is the test


def test_two_spellings_of_one_level_are_refused() -> None:
    with refused("retention names a level twice, got warn, WARNING"):
        LevelRetentionPolicy({"warn": WEEK, "WARNING": WEEK}, WEEK)


def test_a_level_without_a_name_is_refused() -> None:
    with refused(
        "retention names no level: a level must be a name of 1 to 64 characters, got ' ':"
        " use one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
    ):
        LevelRetentionPolicy({" ": WEEK}, WEEK)
