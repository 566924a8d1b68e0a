"""The form of a back-channel logout: anybody may post anything. What it does is tried over real sockets."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.web.endpoints.inbound.backchannel import _logout_token

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("content_type", [FORM, FORM.upper(), f"{FORM};charset=UTF-8", f" {FORM} ; x"])
def test_one_token_in_a_form_is_found(content_type: str) -> None:
    """Whatever else is in it."""
    assert _logout_token(content_type, b"a=b&logout_token=x.y.z&a=c") == "x.y.z"


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "multipart/form-data", "application/json", f"{FORM}x"]
)
def test_what_is_no_form_is_refused(content_type: str) -> None:
    """By its type, before it is looked at."""
    with pytest.raises(ProviderError, match="token_rejected: Content-Type"):
        _logout_token(content_type, b"logout_token=x.y.z")


@pytest.mark.parametrize("body", [b"", b"a=b", b"logout_token=a&logout_token=a", b"Logout_token=a"])
def test_not_exactly_one_token_is_refused(body: bytes) -> None:
    """Of two, two readers would take two."""
    with pytest.raises(ProviderError, match="token_rejected: logout_token"):
        _logout_token(FORM, body)


@settings(deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.lists(
        st.sampled_from(["logout_token", "logout%5Ftoken", "=", "&", ";", "%", "+", "\0", "a"]), max_size=12
    ).map(lambda parts: "".join(parts).encode())
)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """What is found came in the body, and once."""
    with suppress(ProviderError):
        found = _logout_token(FORM, body)
        assert _logout_token(FORM, b"logout_token=" + quote_plus(found).encode()) == found
