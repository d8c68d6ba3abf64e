"""promtool, Prometheus' own checker, finds nothing to complain about."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from observabilipy.encoding.exposition import encode_family
from observabilipy.models import Family, HistogramValue, LabelSets, MetricKind, Series, SeriesColumns, SummaryValue

FAMILIES = (
    Family(
        "orders_total",
        MetricKind.COUNTER,
        'Orders placed, "net" of C:\\refunds\nand 100 %.',
        series=(Series({"path": 'a\\b\n"{c="d"}"#%\0\U0001f600'}, 3, 5.0), Series({}, 2**63)),
    ),
    Family("queue_depth", MetricKind.GAUGE, "Depth.", series=(Series({"queue": ""}, -0.0),)),
    Family(
        "wait_seconds",
        MetricKind.HISTOGRAM,
        "Wait.",
        "seconds",
        (Series({}, HistogramValue((0.1, 1e6), (1, 2, 0), 9)),),
    ),
    Family("foreign_wait", MetricKind.HISTOGRAM, "Wait.", series=(Series({"a": "b"}, HistogramValue((), (3,), 9)),)),
    Family("rpc_seconds", MetricKind.SUMMARY, "Calls.", "seconds", (Series({}, SummaryValue(((0.5, 1),), 2, 3)),)),
    Family("build", MetricKind.INFO, "Build.", series=(Series({"version": "1"}, 1),)),
    Family("shop_mode", MetricKind.STATE_SET, "Mode.", series=(Series({"shop_mode": "open"}, 1),)),
    Family("foreign", MetricKind.UNKNOWN, "Foreign.", series=(Series({}, 5e-324),)),
)


def as_columns(family: Family) -> Family:
    rows = family.series
    return replace(family, series=SeriesColumns(LabelSets([row.labels for row in rows]), [row.value for row in rows]))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH: apt install prometheus")
@pytest.mark.parametrize("families", [FAMILIES, tuple(map(as_columns, FAMILIES))], ids=["rows", "columns"])
def test_promtool_accepts_every_kind(families: tuple[Family, ...]) -> None:
    body = b"".join(encode_family(family) for family in families)

    check = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)

    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
