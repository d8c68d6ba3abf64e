"""Which format and coding a client gets for what it says it accepts."""

import pytest

from observabilipy.encoding.exposition import Format
from observabilipy.http.negotiation import accepts_gzip, preferred_format

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_2 = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROMETHEUS_3_UTF_8 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_TEXT_FIRST = "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param([], "prometheus", id="nothing"),
        pytest.param([""], "prometheus", id="empty"),
        pytest.param(["*/*"], "prometheus", id="anything"),
        pytest.param(["text/html,application/xhtml+xml,*/*;q=0.8"], "prometheus", id="browser"),
        pytest.param([PROMETHEUS_2], "openmetrics", id="prometheus-2"),
        pytest.param([PROMETHEUS_3], "openmetrics", id="prometheus-3"),
        pytest.param([PROMETHEUS_3_UTF_8], "openmetrics", id="prometheus-3-with-any-name"),
        pytest.param([PROMETHEUS_TEXT_FIRST], "prometheus", id="prometheus-that-prefers-text"),
        pytest.param([OPENMETRICS], "openmetrics", id="named"),
        pytest.param([OPENMETRICS.upper()], "openmetrics", id="in-capitals"),
        pytest.param([f"{OPENMETRICS}, */*"], "openmetrics", id="named-beside-anything"),
        pytest.param([f"{OPENMETRICS}, text/plain"], "prometheus", id="both-alike"),
        pytest.param([f"{OPENMETRICS};q=0.4, text/plain;q=0.5"], "prometheus", id="text-better"),
        pytest.param([f"{OPENMETRICS};q=0.5, text/plain;q=0.4"], "openmetrics", id="openmetrics-better"),
        pytest.param([f"{OPENMETRICS};q=0.10, text/plain;q=0.9"], "prometheus", id="q-is-a-number"),
        pytest.param([f"{OPENMETRICS};Q=0.1, text/plain"], "prometheus", id="capital-q"),
        pytest.param([f"{OPENMETRICS};q=0"], "prometheus", id="forbidden"),
        pytest.param([f"{OPENMETRICS};q=0, text/plain;q=0"], "prometheus", id="both-forbidden"),
        pytest.param(["text/plain;q=0, */*"], "openmetrics", id="text-forbidden"),
        pytest.param(["text/*;q=0.1, application/*;q=0.2"], "openmetrics", id="wildcard-subtypes"),
        pytest.param([f"{OPENMETRICS};version=0.0.1"], "prometheus", id="version-we-do-not-write"),
        pytest.param([f'{OPENMETRICS}; version="1.0.0"; charset=utf-8'], "openmetrics", id="quoted-version"),
        pytest.param([f"{OPENMETRICS};version=1.0.0;q=0.1, {OPENMETRICS}, text/plain;q=0.5"], "prometheus", id="exact"),
        pytest.param(["text/plain;q=0.5", OPENMETRICS], "openmetrics", id="two-headers"),
        pytest.param(["application/json"], "prometheus", id="never-refused"),
        pytest.param([f"{OPENMETRICS};q=nan"], "prometheus", id="junk-quality"),
        pytest.param([f"{OPENMETRICS};q=2"], "prometheus", id="quality-above-one"),
        pytest.param([f"{OPENMETRICS};q=-1"], "prometheus", id="quality-below-zero"),
        pytest.param([",;=,;;q,\xff\x00/;q=;=="], "prometheus", id="junk"),
    ],
)
def test_the_format_is_the_one_that_the_client_prefers(accept: list[str], expected: Format) -> None:
    assert preferred_format([header.encode("latin-1") for header in accept]) == expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param([b""], False, id="empty"),
        pytest.param([b"gzip"], True, id="gzip"),
        pytest.param([b"x-gzip"], True, id="its-old-name"),
        pytest.param([b"GZip"], True, id="any-case"),
        pytest.param([b"deflate, gzip;q=0.5, br"], True, id="among-others"),
        pytest.param([b"deflate", b"gzip"], True, id="two-headers"),
        pytest.param([b"*"], True, id="anything"),
        pytest.param([b"*;q=0"], False, id="nothing-else"),
        pytest.param([b"gzip;q=0"], False, id="forbidden"),
        pytest.param([b"gzip;q=0.000"], False, id="forbidden-with-digits"),
        pytest.param([b"gzip;q=0, *"], False, id="forbidden-beside-anything"),
        pytest.param([b"gzip;q=0.5, identity"], False, id="identity-better"),
        pytest.param([b"identity;q=0.5, gzip"], True, id="identity-worse"),
        pytest.param([b"br, deflate"], False, id="others-only"),
        pytest.param([b"gzip;q=junk"], False, id="junk-quality"),
    ],
)
def test_gzip_is_used_when_the_client_allows_it(accept_encoding: list[bytes], expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected


def test_no_more_of_a_header_is_read_than_a_client_has_reason_to_send() -> None:
    openmetrics = b"application/openmetrics-text"

    assert (
        preferred_format([b",".join([b"text/html"] * 31 + [openmetrics])]),
        preferred_format([b",".join([b"text/html"] * 32 + [openmetrics])]),
        preferred_format([b"a" * 3_000 + b"," + openmetrics]),
    ) == ("openmetrics", "prometheus", "prometheus")
