from __future__ import annotations

import pytest

from gateway.core.errors import ProviderError
from gateway.oidc.wire import (
    ProviderRequest,
    ProviderResponse,
    document,
    has_control,
    json_object,
    printable,
    status_error,
)


def test_the_repr_of_a_request_holds_no_secret() -> None:
    """Headers and body carry the client secret and tokens; a log line of the request must not."""
    shown = repr(
        ProviderRequest("POST", "https://op.example/token", {"authorization": "Basic s3cret"}, b"code=s3cret")
    )
    assert "s3cret" not in shown
    assert "s3cret" not in repr(ProviderResponse(200, {"x": "s3cret"}, b"s3cret"))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"null", b'"x"', b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":-Infinity}', b"\xff{}"]
)
def test_only_one_strict_json_object_is_read(body: bytes) -> None:
    """Anything that two readers could take differently is refused."""
    with pytest.raises(ProviderError) as caught:
        json_object(body, "the document")
    assert caught.value.code == "bad_response"


def test_a_repeated_member_deep_inside_is_refused_too() -> None:
    """Strictness holds at every depth."""
    with pytest.raises(ProviderError):
        json_object(b'{"a":{"b":1,"b":2}}', "the document")


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (302, "bad_response", False),
        (404, "provider_error", False),
        (408, "provider_error", True),
        (429, "provider_error", True),
        (500, "provider_error", True),
        (503, "provider_error", True),
    ],
)
def test_the_status_says_whether_trying_again_can_help(status: int, code: str, retryable: bool) -> None:
    """429 and 5xx are worth another try; a redirect is never followed."""
    error = status_error(status, "token endpoint")
    assert (error.code, error.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("status", "acted"),
    [(400, False), (404, False), (408, True), (425, False), (429, False), (500, True), (504, True)],
)
def test_the_status_says_whether_something_may_have_been_done(status: int, acted: bool) -> None:
    """A refresh token may be spent by what ended in trouble; never by what was turned away."""
    assert status_error(status, "token endpoint").acted is acted
    with pytest.raises(ProviderError):
        document(ProviderResponse(status, {}, b"{}"), "key set")


def test_foreign_text_becomes_one_bounded_printable_line() -> None:
    """Line breaks, escapes and direction marks of a provider's text reach no log."""
    assert printable("a\r\nb\x1b[31m\u202ec") == "a b [31m c"
    assert len(printable("x" * 5000)) == 200


@pytest.mark.parametrize("char", ["\x00", "\t", "\n", "\x7f", "\x85", "\x9f", "\ud800"])
def test_control_characters_are_found(char: str) -> None:
    """C0, DEL, C1 and lone surrogates cannot travel in a header (rule R31)."""
    assert has_control(f"a{char}b")


def test_ordinary_letters_are_no_control_characters() -> None:
    """Letters of any script pass: they are percent-encoded later."""
    assert not has_control("Zoë Ångström, 王 🙂")
