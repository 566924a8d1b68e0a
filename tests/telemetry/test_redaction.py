"""Redaction: no secret passes, and what is not secret stays readable."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.redaction import DROPPED, LONGEST, Published, redact, scrub, telling, without_tokens

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "Cookie", "set-cookie", "Set_Cookie", "client_secret", "id_token", "access_token"),
        *("refresh_token", "token", "password", "id_token_hint", "code", "state", "nonce", "code_verifier"),
        *("query", "SAMLResponse", "RelayState", "api-key", "session_key", "sid"),
    ],
)
def test_telling_names_are_recognised(name: str) -> None:
    """In any spelling of case, dash and underscore."""
    assert telling(name)


@pytest.mark.parametrize(
    "name",
    [
        "path",
        "status",
        "reason",
        "event",
        "code_name",
        "status_code",
        "policy",
        "user",
        "hop",
        "token_endpoint",
        "states",
        "keyboard",
    ],
)
def test_other_names_are_left_alone(name: str) -> None:
    """A log that hides everything helps nobody."""
    assert not telling(name)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /callback?code=abc&state=x.y#top=1 done", "GET /callback?code&state#top done"),
        ("to https://a.b/c?x=1;y=2, then", "to https://a.b/c?x;y then"),
        (f"bad token {JWT}", f"bad token {DROPPED}"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {DROPPED}"),
        ("__Host-session=abc.def; Path=/", f"__Host-session={DROPPED}; Path=/"),
        ("redis://user:pass@host:6379/0", f"redis://{DROPPED}@host:6379/0"),
        ("connection refused (errno = 111)", "connection refused (errno = 111)"),
        ("mode=wal", "mode=wal"),
    ],
)
def test_r34_text_loses_values_and_keeps_names(text: str, clean: str) -> None:
    """Query values, tokens, credentials and cookies go, wherever they stand in a sentence."""
    assert scrub(text) == clean


def test_fields_are_cleaned_at_every_depth() -> None:
    """Mappings, lists, bytes and objects."""

    class Odd:
        def __str__(self) -> str:
            return f"odd {JWT}"

    event = {
        "event": "failed /a?code=1",
        "status": 502,
        "nothing": None,
        "token": "abc",
        "request": {"Cookie": "a=b", "path": "/x?y=z", "list": ["?q=1", b"?r=2", 3]},
        "error": Odd(),
    }

    assert redact(None, "info", event) == {
        "event": "failed /a?code",
        "status": 502,
        "nothing": None,
        "token": DROPPED,
        "request": {"Cookie": DROPPED, "path": "/x?y", "list": ["?q", "?r", 3]},
        "error": f"odd {DROPPED}",
    }


@given(st.text(alphabet="abc?&=;# /", max_size=40), st.text(alphabet="XYZ09._~-", min_size=1, max_size=20))
def test_r34_no_query_value_survives(prefix: str, secret: str) -> None:
    """Whatever stands before and after it."""
    cleaned = scrub(f"{prefix}?code={secret}&next")

    assert secret not in cleaned
    assert cleaned.endswith("&next")


@given(st.text(max_size=200))
def test_any_text_can_be_scrubbed(text: str) -> None:
    """Scrubbing never fails and is done after once."""
    once = scrub(text)

    assert scrub(once) == once


@pytest.mark.parametrize(
    "secret", ["Bearer s3cr3t-of-somebody", "https://user:s3cr3t@host/", "__Host-session=s3cr3t"]
)
def test_a_long_text_keeps_its_ends_and_no_part_of_a_secret(secret: str) -> None:
    """Wherever the cut goes through it: a traceback says at its end what happened."""
    for at in range(LONGEST // 2 - 80, LONGEST // 2 + 1):
        for text in (
            f"{'a ' * (at // 2)}{secret} {'b ' * LONGEST}end",
            f"begin{' b' * LONGEST} {secret} {'a' * at}",
        ):
            logged = scrub(text)
            assert "s3cr3t" not in logged
            assert len(logged) <= LONGEST
            assert scrub(logged) == logged
    assert logged.startswith("begin ")
    assert scrub(f"{'a ' * LONGEST}end").endswith(" end")
    assert scrub("s3cr3t" * LONGEST) == "[...]"


def test_a_receipt_passes_and_a_token_in_its_place_does_not() -> None:
    """What is published is so by its type; the name of a field opens no way for secrets."""
    line = redact(None, "info", {"receipt": Published(JWT), "token": Published(JWT)})
    assert line == {"receipt": JWT, "token": DROPPED}
    assert redact(None, "info", {"receipt": JWT}) == {"receipt": DROPPED}


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        (f"/invite/{JWT}", f"/invite/{DROPPED}"),
        ("/reset/3f786850e387550fdab836ed7e6dc881de23001b", f"/reset/{DROPPED}"),
        ("/reset/dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk/new", f"/reset/{DROPPED}/new"),
        ("/share/AbCdEfGhIjKlMnOpQrStUv", f"/share/{DROPPED}"),
        ("/confirm/alice%40example.com/ZyX9wVu8TsR7qPo6NmL5kJi4", f"/confirm/alice%40example.com/{DROPPED}"),
        ("/orders/6ba7b810-9dad-11d1-80b4-00c04fd430c8", "/orders/6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        (
            "/blog/how-to-set-up-your-gateway-in-2026",
            "/blog/how-to-set-up-your-gateway-in-2026",
        ),
        ("/assets/index-DkR3a9xQ.js", "/assets/index-DkR3a9xQ.js"),
        ("/api/organizationMembershipRequests", "/api/organizationMembershipRequests"),
        ("/", "/"),
    ],
)
def test_tokens_in_a_path_are_not_logged(path: str, logged: str) -> None:
    """What looks like one is taken out, ids and words stay."""
    assert without_tokens(path) == logged


@given(st.binary(min_size=24, max_size=64))
def test_random_bytes_in_a_path_are_not_logged(secret: bytes) -> None:
    """In base64url, whatever they are, unless they are no secret: bytes that repeat themselves."""
    token = base64.urlsafe_b64encode(hashlib.sha256(secret).digest()).rstrip(b"=").decode()
    assert token not in without_tokens(f"/reset/{token}/new")


def test_a_long_path_is_read_in_one_pass() -> None:
    """No input makes the search go back and forth: twice as long takes no more than that, in steps of the engine."""
    for text in ("a" * 200_000, "aB3" * 60_000, "a-" * 100_000, "%41" * 60_000):
        assert len(without_tokens("/" + text)) <= len(text) + 1
