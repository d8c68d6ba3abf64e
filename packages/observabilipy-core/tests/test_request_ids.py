"""What becomes of the ids that clients send."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observabilipy.request_ids import RequestIds

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize("request_id", ["a", "7f3c.A_b-9", "x" * 128])
def test_a_well_formed_request_id_is_kept(request_id: str) -> None:
    assert RequestIds(request_id, None).attributes == {"request_id": request_id}


@pytest.mark.parametrize("request_id", [None, "", "x" * 129, "a b", "a,a", "é", "a\n", "\u0661", "<script>"])
def test_any_other_gives_a_new_one_of_32_hexadecimal_digits(request_id: str | None) -> None:
    assert re.fullmatch("[0-9a-f]{32}", RequestIds(request_id, None).request_id)


def test_two_new_ids_differ() -> None:
    assert RequestIds(None, None).request_id != RequestIds(None, None).request_id


@pytest.mark.parametrize(
    "traceparent", [TRACEPARENT, f"{TRACEPARENT[:-2]}00", f"cc-{TRACE}-{PARENT}-01-what-comes.later"]
)
def test_a_valid_traceparent_gives_trace_and_parent(traceparent: str) -> None:
    ids = RequestIds("r", traceparent)

    assert (ids.traceparent, ids.attributes) == (
        traceparent,
        {"request_id": "r", "trace_id": TRACE, "parent_id": PARENT},
    )


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"cc-{TRACE}-{PARENT}-01more",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 300}",
        f"{TRACEPARENT},{TRACEPARENT}",
        f" {TRACEPARENT}",
        f"{TRACEPARENT}\n",
    ],
)
def test_an_invalid_traceparent_is_ignored(traceparent: str) -> None:
    ids = RequestIds("r", traceparent)

    assert (ids.traceparent, ids.attributes) == (None, {"request_id": "r"})


@pytest.mark.properties
@given(st.none() | st.text(), st.none() | st.text() | st.from_regex(r"[0-9a-f-]{50,60}"))
def test_whatever_a_client_sends_the_answer_can_carry_the_ids(request_id: str | None, traceparent: str | None) -> None:
    ids = RequestIds(request_id, traceparent)

    assert all(re.fullmatch("[!-~]{1,330}", value) for value in (ids.request_id, ids.traceparent or "-"))
