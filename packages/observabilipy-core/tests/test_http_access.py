"""Who may read: tokens, callables, the environment, and nobody without a decision."""

import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from observabilipy.errors import ConfigurationError
from observabilipy.http import Auth, Endpoints, Request
from observabilipy.storage.memory import MemoryStorage

HINT_401 = "send 'Authorization: Bearer <token>', or the token as the Basic password of any user"
HINT_403 = (
    "set OBSERVABILIPY_TOKEN or OBSERVABILIPY_TOKEN_FILE, or pass auth=<token>; auth='public' opens it to everyone"
)


def guarded(auth: Auth, environ: Mapping[str, str] | None = None, metrics_auth: Auth = None) -> Endpoints:
    return Endpoints(MemoryStorage(), auth=auth, metrics_auth=metrics_auth, environ=environ or {})


async def status(endpoints: Endpoints, *authorization: bytes, path: str = "/logs") -> int:
    headers = [(b"authorization", value) for value in authorization]
    return (await endpoints.handle(Request("GET", path, headers=headers))).status


async def document(endpoints: Endpoints, path: str = "/logs", query: bytes = b"") -> bytes:
    response = await endpoints.handle(Request("GET", path, query))
    return b"".join([chunk async for chunk in response.body])


def basic(credentials: bytes) -> bytes:
    return b"Basic " + b64encode(credentials)


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        pytest.param([b"Bearer s3cret"], 200, id="bearer"),
        pytest.param([b"bearer  s3cret "], 200, id="any-case-and-spaces"),
        pytest.param([basic(b"anyone:s3cret")], 200, id="basic"),
        pytest.param([basic(b":s3cret")], 200, id="basic-without-user"),
        pytest.param([], 401, id="missing"),
        pytest.param([b""], 401, id="empty"),
        pytest.param([b"Bearer"], 401, id="bearer-without-token"),
        pytest.param([b"Bearer "], 401, id="bearer-with-empty-token"),
        pytest.param([b"Bearer s3cre"], 401, id="shorter"),
        pytest.param([b"Bearer s3crets"], 401, id="longer"),
        pytest.param([b"Bearer S3CRET"], 401, id="other-case"),
        pytest.param([b"Bearer " + b"s" * 65_536], 401, id="very-long"),
        pytest.param([b"Bearer s\xc3\xa9cret"], 401, id="utf-8"),
        pytest.param([b"Bearer \xff\xfe\x00\xed\xa0\x80"], 401, id="no-text-at-all"),
        pytest.param([b"s3cret"], 401, id="without-scheme"),
        pytest.param([b"Digest s3cret"], 401, id="other-scheme"),
        pytest.param([basic(b"s3cret")], 401, id="basic-without-colon"),
        pytest.param([basic(b"s3cret:")], 401, id="token-as-user"),
        pytest.param([basic(b"anyone:s3cret:")], 401, id="password-with-colon"),
        pytest.param([basic(b"\xff:\xff\xfe")], 401, id="basic-no-text-at-all"),
        pytest.param([b"Basic"], 401, id="basic-without-credentials"),
        pytest.param([b"Basic !!!"], 401, id="no-base64"),
        pytest.param([b"Basic \xff\xfe"], 401, id="no-base64-and-no-text"),
        pytest.param([b"Basic YTpz!M2NyZXQ="], 401, id="base64-with-junk"),
        pytest.param([b"Basic YTpzM2NyZXQ"], 401, id="base64-without-padding"),
        pytest.param([b"Bearer s3cret", b"Bearer s3cret"], 401, id="sent-twice"),
    ],
)
async def test_a_token_opens_as_bearer_or_as_basic_password_and_nothing_else_does(
    authorization: list[bytes], expected: int
) -> None:
    assert await status(guarded("s3cret"), *authorization) == expected


@pytest.mark.parametrize("token", [b"one", b"two", b"three"])
async def test_each_of_several_tokens_opens(token: bytes) -> None:
    assert await status(guarded(["one", "two", "three"]), b"Bearer " + token) == 200


async def test_a_token_beyond_ascii_opens_as_utf_8() -> None:
    assert await status(guarded("gehe\u00edm"), basic("me:gehe\u00edm".encode())) == 200


async def test_a_token_in_the_query_string_does_not_open() -> None:
    response = await guarded("s3cret").handle(Request("GET", "/logs", b"token=s3cret&access_token=s3cret"))

    assert response.status == 401


async def test_a_401_offers_bearer_and_basic() -> None:
    response = await guarded("s3cret").handle(Request("GET", "/logs"))

    assert [value for name, value in response.headers if name == b"www-authenticate"] == [
        b"Bearer",
        b'Basic realm="observabilipy"',
    ]


async def test_a_401_says_how_to_send_a_token() -> None:
    assert (
        await document(guarded("s3cret"))
        == (
            '{"type":"about:blank","title":"Unauthorized","status":401,"detail":"a valid token is required",'
            f'"hint":"{HINT_401}"}}\n'
        ).encode()
    )


@pytest.mark.parametrize("path", ["/logs", "/metrics"])
async def test_without_a_decision_everything_is_a_403_that_says_how_to_decide(path: str) -> None:
    assert (
        await document(guarded(None), path)
        == (
            '{"type":"about:blank","title":"Forbidden","status":403,"detail":"nobody decided yet who may read this",'
            f'"hint":"{HINT_403}"}}\n'
        ).encode()
    )


async def test_access_is_checked_before_parameters() -> None:
    response = await guarded("s3cret").handle(Request("GET", "/logs", b"limit=wrong"))

    assert response.status == 401


async def test_public_opens_to_everyone() -> None:
    assert await status(guarded("public")) == 200


async def test_public_is_not_a_token() -> None:
    assert await status(guarded("s3cret"), b"Bearer public") == 401


async def test_metrics_can_be_public_while_logs_are_not() -> None:
    endpoints = guarded("s3cret", metrics_auth="public")

    assert (await status(endpoints, path="/metrics"), await status(endpoints, path="/logs")) == (200, 401)


async def test_metrics_have_the_access_of_logs_unless_said_otherwise() -> None:
    endpoints = guarded("s3cret")

    assert [await status(endpoints, *sent, path="/metrics") for sent in ([], [b"Bearer s3cret"])] == [401, 200]


async def test_the_token_comes_from_the_environment() -> None:
    endpoints = guarded(None, {"OBSERVABILIPY_TOKEN": " from-env\n"})

    assert [await status(endpoints, sent) for sent in (b"Bearer from-env", b"Bearer other")] == [200, 401]


async def test_each_line_of_the_token_file_is_a_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("\n old \nnew\n\n", "utf-8")
    endpoints = guarded(None, {"OBSERVABILIPY_TOKEN_FILE": str(file)})

    assert [await status(endpoints, b"Bearer " + sent) for sent in (b"old", b"new", b"")] == [200, 200, 401]


async def test_an_explicit_decision_wins_over_the_environment() -> None:
    endpoints = guarded("mine", {"OBSERVABILIPY_TOKEN": "other"})

    assert [await status(endpoints, sent) for sent in (b"Bearer mine", b"Bearer other")] == [200, 401]


async def test_a_callable_decides_by_the_request() -> None:
    endpoints = guarded(lambda request: request.values(b"x-role") == [b"admin"])

    answers = [
        (await endpoints.handle(Request("GET", "/logs", headers=headers))).status
        for headers in ([(b"x-role", b"admin")], [(b"x-role", b"user")], [])
    ]

    assert answers == [200, 403, 403]


async def test_an_async_callable_decides_too() -> None:
    async def allowed(request: Request) -> bool:
        return request.path == "/metrics"

    endpoints = guarded(allowed)

    assert [await status(endpoints, path=path) for path in ("/metrics", "/logs")] == [200, 403]


async def test_a_callable_that_says_no_is_a_403_without_a_challenge() -> None:
    response = await guarded(lambda _: False).handle(Request("GET", "/logs", headers=[(b"authorization", b"Bearer x")]))

    assert (response.status, [name for name, _ in response.headers if name == b"www-authenticate"]) == (403, [])


async def test_only_true_lets_in() -> None:
    def undecided(_: Request) -> bool:
        return (False, "no")  # type: ignore[return-value]  # the mistake that is tested

    assert await status(guarded(undecided)) == 403


async def test_a_callable_that_raises_keeps_out_and_is_reported() -> None:
    failure = RuntimeError("the directory is down")
    reported: list[Exception] = []

    def broken(_: Request) -> bool:
        raise failure

    endpoints = Endpoints(MemoryStorage(), auth=broken, on_error=reported.append)

    assert (await status(endpoints), reported) == (403, [failure])


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        pytest.param("", "a token of auth must not be empty or blank", id="empty"),
        pytest.param(" \n", "a token of auth must not be empty or blank", id="blank"),
        pytest.param(["good", ""], "a token of auth must not be empty or blank", id="one-empty"),
        pytest.param([], "auth holds no token", id="none"),
        pytest.param("a\nb", "a token of auth must hold printable characters only", id="line-break"),
        pytest.param("a\udc80", "a token of auth must hold printable characters only", id="surrogate"),
        pytest.param([b"bytes"], "a token of auth must be a string, got bytes", id="bytes-in-a-list"),
        pytest.param(b"bytes", "auth must be a token, several tokens, a callable or 'public', got bytes", id="bytes"),
        pytest.param(42, "auth must be a token, several tokens, a callable or 'public', got int", id="number"),
    ],
)
def test_a_decision_that_cannot_work_is_refused(auth: Auth, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        guarded(auth)


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_in_the_environment_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationError, match="a token of OBSERVABILIPY_TOKEN must not be empty or blank"):
        guarded(None, {"OBSERVABILIPY_TOKEN": token})


def test_a_token_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="OBSERVABILIPY_TOKEN_FILE must name a readable text file"):
        guarded(None, {"OBSERVABILIPY_TOKEN_FILE": str(tmp_path / "missing")})


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_token_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match="OBSERVABILIPY_TOKEN_FILE holds no token"):
        guarded(None, {"OBSERVABILIPY_TOKEN_FILE": str(file)})


def test_a_token_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationError, match="OBSERVABILIPY_TOKEN_FILE must name a readable text file"):
        guarded(None, {"OBSERVABILIPY_TOKEN_FILE": str(file)})


def test_token_and_token_file_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="are both set: keep one of them"):
        guarded(None, {"OBSERVABILIPY_TOKEN": "a", "OBSERVABILIPY_TOKEN_FILE": "b"})


def test_a_refused_token_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        guarded("s3cret\x00")

    assert "s3cret" not in str(caught.value)
