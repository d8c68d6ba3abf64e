"""The parameters of /logs: what each one means, and the whole problem when it is wrong."""

import json

import pytest

from observabilipy.http import Endpoints, Request
from observabilipy.http.moment import parse_moment
from observabilipy.http.parameters import LogsParameters, logs_parameters
from observabilipy.models import LogQuery
from observabilipy.storage.memory import MemoryStorage

ALL = LogsParameters(filters=LogQuery(), after=None, before=None, newest_first=False, limit=1000, kept=())

CURSOR_HINT = "take a cursor from an entry or a Link header"
AFTER = (
    "after must be a cursor, 'start' or 'now'",
    f"{CURSOR_HINT}, or write after=start to begin at the oldest, after=now behind the newest",
)
BEFORE = ("before must be a cursor", CURSOR_HINT)
FOLLOW = ("follow must be '1' or '0'", "write follow=1 to be told what comes as it comes")
FORMAT = ("format must be 'ndjson' or 'json'", "write format=json for one array, or nothing for an entry a line")
LEVEL = ("level must be a name of 1 to 64 characters, or several with commas", "write level=error,critical")
LIMIT = (
    "limit must be a whole number from 1 to 10000, or 'all'",
    "write limit=100, or limit=all to stream everything",
)
MIN_LEVEL = ("min_level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL", "write min_level=warning")
ORDER = ("order must be 'asc' or 'desc'", "write order=desc to print the newest first")
SINCE = (
    "since must be unix seconds, or RFC 3339 with a zone",
    "write since=1763826000.5 or since=2026-11-22T20:00:00Z",
)
UNTIL = (
    "until must be unix seconds, or RFC 3339 with a zone",
    "write until=1763826000.5 or until=2026-11-22T20:00:00Z",
)
ONCE = ("this parameter may stand once", "keep one of its values")
UNKNOWN = (
    "unknown parameter",
    "known are after, attr.<key>, before, follow, format, level, limit, min_level, order, q, since, until",
)
ENCODING = (
    "a query string must be percent-encoded UTF-8",
    "encode text as UTF-8, each byte as %XX; a percent sign itself is %25",
)


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        pytest.param(b"since=1763826000.5", LogQuery(since=1763826000.5), id="since"),
        pytest.param(b"until=2026-11-22T20:00:00Z", LogQuery(until=1795377600.0), id="until"),
        pytest.param(b"level=error", LogQuery(levels={"ERROR"}), id="level-in-any-case"),
        pytest.param(
            b"level=Error,WARN&level=audit", LogQuery(levels={"ERROR", "WARNING", "AUDIT"}), id="several-levels"
        ),
        pytest.param(b"min_level=warn", LogQuery(min_level="WARNING"), id="min_level"),
        pytest.param(b"q=disk+full%20%C3%A9", LogQuery(text="disk full \u00e9"), id="text"),
        pytest.param(b"q=", LogQuery(text=""), id="empty-text"),
        pytest.param(b"q=%25+%00", LogQuery(text="% \0"), id="text-with-percent-and-nul"),
        pytest.param(b"q=a=b", LogQuery(text="a=b"), id="value-with-equals-sign"),
        pytest.param(
            b"attr.tier=gold&attr.a%2Eb=1&attr.empty",
            LogQuery(attributes={"tier": "gold", "a.b": "1", "empty": ""}),
            id="attributes",
        ),
        pytest.param(b"%73ince=5", LogQuery(since=5), id="encoded-name"),
        pytest.param(b"&&since=5&", LogQuery(since=5), id="empty-pieces"),
    ],
)
def test_filters_are_read_from_the_query_string(query: bytes, filters: LogQuery) -> None:
    assert logs_parameters(query).filters == filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"", ALL, id="nothing"),
        pytest.param(
            b"limit=10000&order=desc&after=k3f9-7&before=k3f9-9",
            LogsParameters(LogQuery(), "k3f9-7", "k3f9-9", True, 10_000, (("limit", "10000"), ("order", "desc"))),
            id="everything",
        ),
        pytest.param(
            b"limit=all&after=start&order=asc",
            LogsParameters(LogQuery(), "start", None, False, None, (("limit", "all"), ("order", "asc"))),
            id="all-from-the-start",
        ),
        pytest.param(
            b"follow=1&after=now&format=ndjson",
            LogsParameters(
                LogQuery(), "now", None, False, 1000, (("follow", "1"), ("format", "ndjson")), follow=True, array=False
            ),
            id="what-comes",
        ),
        pytest.param(
            b"follow=0&format=json",
            LogsParameters(LogQuery(), None, None, False, 1000, (("follow", "0"), ("format", "json")), array=True),
            id="an-array",
        ),
    ],
)
def test_paging_is_read_from_the_query_string(query: bytes, expected: LogsParameters) -> None:
    assert logs_parameters(query) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("-1.5", -1.5),
        ("1763826000.123456", 1763826000.123456),
        ("1763826000.1234564999", 1763826000.123456),
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01t00:00:00.25z", 0.25),
        ("1970-01-01 00:00:00Z", 0.0),
        ("1970-01-01T02:00:00+02:00", 0.0),
        ("1970-01-01T02:00:00 02:00", 0.0),
        ("1969-12-31T18:30:00-05:30", 0.0),
        ("1969-12-31T23:59:59.5-00:00", -0.5),
        ("0001-01-01T00:00:00Z", -62135596800.0),
    ],
)
def test_a_moment_is_unix_seconds_or_rfc_3339(text: str, seconds: float) -> None:
    assert parse_moment(text) == seconds


@pytest.mark.parametrize(
    ("query", "parameter", "value", "rule"),
    [
        (b"since=", "since", "", SINCE),
        (b"since", "since", "", SINCE),
        (b"since=abc", "since", "abc", SINCE),
        (b"since=nan", "since", "nan", SINCE),
        (b"since=inf", "since", "inf", SINCE),
        (b"since=-Infinity", "since", "-Infinity", SINCE),
        (b"since=9223372036854775808", "since", "9223372036854775808", SINCE),
        (b"since=1e9", "since", "1e9", SINCE),
        (b"since=1_000", "since", "1_000", SINCE),
        (b"since=%2B1", "since", "+1", SINCE),
        (b"since=1.", "since", "1.", SINCE),
        (b"since=%EF%BC%91", "since", "\uff11", SINCE),
        (b"since=1%00", "since", "1\0", SINCE),
        (b"since=1%0A", "since", "1\n", SINCE),
        (b"since=" + b"9" * 5000, "since", "9" * 200, SINCE),
        (b"since=2026-11-22", "since", "2026-11-22", SINCE),
        (b"since=2026-11-22T20:00:00", "since", "2026-11-22T20:00:00", SINCE),
        (b"since=2026-13-22T20:00:00Z", "since", "2026-13-22T20:00:00Z", SINCE),
        (b"since=2026-02-30T20:00:00Z", "since", "2026-02-30T20:00:00Z", SINCE),
        (b"since=2026-11-22T24:00:00Z", "since", "2026-11-22T24:00:00Z", SINCE),
        (b"since=2026-11-22T20:00:00%2B24:00", "since", "2026-11-22T20:00:00+24:00", SINCE),
        (b"since=2026-11-22T20:00:00%2B01:60", "since", "2026-11-22T20:00:00+01:60", SINCE),
        (b"since=0000-11-22T20:00:00Z", "since", "0000-11-22T20:00:00Z", SINCE),
        (b"since=0001-01-01T00:00:00%2B10:00", "since", "0001-01-01T00:00:00+10:00", SINCE),
        (b"since=9999-12-31T23:59:59-10:00", "since", "9999-12-31T23:59:59-10:00", SINCE),
        (b"until=tomorrow", "until", "tomorrow", UNTIL),
        (b"limit=0", "limit", "0", LIMIT),
        (b"limit=-1", "limit", "-1", LIMIT),
        (b"limit=10001", "limit", "10001", LIMIT),
        (b"limit=1.0", "limit", "1.0", LIMIT),
        (b"limit=1_0", "limit", "1_0", LIMIT),
        (b"limit=+5", "limit", " 5", LIMIT),
        (b"limit=ALL", "limit", "ALL", LIMIT),
        (b"limit=%D9%A1", "limit", "\u0661", LIMIT),
        (b"limit=" + b"1" * 5000, "limit", "1" * 200, LIMIT),
        (b"after=x", "after", "x", AFTER),
        (b"after=", "after", "", AFTER),
        (b"after=k3f9-07", "after", "k3f9-07", AFTER),
        (b"after=k3f9-9223372036854775808", "after", "k3f9-9223372036854775808", AFTER),
        (b"before=start", "before", "start", BEFORE),
        (b"before=K3F9-7", "before", "K3F9-7", BEFORE),
        (b"follow=yes", "follow", "yes", FOLLOW),
        (b"format=JSON", "format", "JSON", FORMAT),
        (b"order=up", "order", "up", ORDER),
        (b"order=DESC", "order", "DESC", ORDER),
        (b"level=", "level", "", LEVEL),
        (b"level=error,,info", "level", "", LEVEL),
        (b"level=" + b"x" * 65, "level", "x" * 65, LEVEL),
        (b"min_level=audit", "min_level", "audit", MIN_LEVEL),
        (b"min_level=error,info", "min_level", "error,info", MIN_LEVEL),
        (b"limit=1&limit=1", "limit", "1", ONCE),
        (b"q=a&q=b", "q", "b", ONCE),
        (b"attr.a=1&attr.a=2", "attr.a", "2", ONCE),
        (b"colour=red", "colour", "red", UNKNOWN),
        (b"Limit=1", "Limit", "1", UNKNOWN),
        (b"attr.=1", "attr.", "1", UNKNOWN),
        (b"=1", "", "1", UNKNOWN),
        (b"name[]=x", "name[]", "x", UNKNOWN),
        (b"x" * 300 + b"=1", "x" * 200, "1", UNKNOWN),
        (b"q=%FF", "q", "%FF", ENCODING),
        (b"q=\xff", "q", "\\xff", ENCODING),
        (b"q=%ED%A0%80", "q", "%ED%A0%80", ENCODING),
        (b"%C0%80=1", "%C0%80", "1", ENCODING),
        (b"q=100%", "q", "100%", ENCODING),
        (b"q=%zz", "q", "%zz", ENCODING),
    ],
)
async def test_a_wrong_parameter_is_a_400_that_names_it(
    query: bytes, parameter: str, value: str, rule: tuple[str, str]
) -> None:
    endpoints = Endpoints(MemoryStorage(), auth="public")

    response = await endpoints.handle(Request("GET", "/logs", query))
    document = json.loads(b"".join([chunk async for chunk in response.body]))

    detail, hint = rule
    assert (response.status, document) == (
        400,
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": detail,
            "parameter": parameter,
            "value": value,
            "hint": hint,
        },
    )


@pytest.mark.parametrize("path", ["/logs", "/metrics"])
@pytest.mark.parametrize(
    ("query", "detail", "hint"),
    [
        pytest.param(
            b"q=" + b"x" * 16_383,
            "the query string may have 16384 bytes, got 16385",
            "ask for less at once",
            id="too-long",
        ),
        pytest.param(
            b"&".join([b"level=info"] * 101),
            "the query string may have 100 parameters, got 101",
            "several levels fit in one parameter: level=error,critical",
            id="too-many",
        ),
    ],
)
async def test_a_query_string_without_measure_is_a_400(path: str, query: bytes, detail: str, hint: str) -> None:
    endpoints = Endpoints(MemoryStorage(), auth="public")

    response = await endpoints.handle(Request("GET", path, query))
    document = json.loads(b"".join([chunk async for chunk in response.body]))

    assert (response.status, document) == (
        400,
        {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": detail, "hint": hint},
    )


def test_a_query_string_of_16_kib_with_100_parameters_is_read() -> None:
    pairs = [b"attr.a%d=1" % number for number in range(99)]
    query = b"&".join([*pairs, b"q="])

    assert len(logs_parameters(query + b"x" * (16_384 - len(query))).filters.attributes) == 99


@pytest.mark.parametrize(
    ("query", "parameter", "value", "reason", "hint"),
    [
        ("before=k3f9-7", "before", "k3f9-7", "it has no end", "leave before out, or read pages by their links"),
        ("until=5", "until", "5", "it has no end", "leave until out, or read pages by their links"),
        ("order=desc", "order", "desc", "entries are printed as they come", "leave order out"),
        (
            "limit=all",
            "limit",
            "all",
            "limit says with how many of the newest it begins",
            "write after=start to begin at the oldest",
        ),
        (
            "limit=5&after=start",
            "limit",
            "5",
            "it gives everything that comes after a cursor",
            "leave limit out, or leave after out",
        ),
        (
            "format=json",
            "format",
            "json",
            "an array is not complete before its end",
            "leave format out and read a line at a time",
        ),
    ],
)
async def test_what_makes_no_sense_for_a_follower_is_a_400_that_says_why(
    query: str, parameter: str, value: str, reason: str, hint: str
) -> None:
    endpoints = Endpoints(MemoryStorage(), auth="public")

    response = await endpoints.handle(Request("GET", "/logs", f"follow=1&{query}".encode()))

    assert (response.status, json.loads(b"".join([chunk async for chunk in response.body]))) == (
        400,
        {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": f"follow=1 does not go with {parameter}: {reason}",
            "parameter": parameter,
            "value": value,
            "hint": hint,
        },
    )
