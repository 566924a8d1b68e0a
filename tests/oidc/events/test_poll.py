from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.oidc.events.poll import MAX_SETS, parse_poll, poll_request
from gateway.oidc.events.security_event import Refusal
from gateway.oidc.wire import ProviderResponse
from tests.oidc.documents import json_answer

ADDRESS = "https://example.okta.com/poll"


def test_the_question_acknowledges_what_was_done_and_says_what_never_can_be() -> None:
    """RFC 8936 §2.4, with the bearer token."""
    refused = {"b": Refusal("invalid_key", "signature: of a stranger")}
    request = poll_request(ADDRESS, "the-token", done=["a"], refused=refused, wait=False)
    assert (request.method, request.url) == ("POST", ADDRESS)
    assert request.headers["authorization"] == "Bearer the-token"
    assert request.headers["content-language"] == "en"
    assert json.loads(request.body) == {
        "maxEvents": 50,
        "returnImmediately": True,
        "ack": ["a"],
        "setErrs": {"b": {"err": "invalid_key", "description": "signature: of a stranger"}},
    }


def test_with_nothing_to_say_it_waits() -> None:
    """No errors are invented."""
    asked = json.loads(poll_request(ADDRESS, "t", wait=True).body)
    assert asked == {"maxEvents": 50, "returnImmediately": False, "ack": []}


def test_the_answer_has_tokens_and_says_whether_there_are_more() -> None:
    """What is no text is handed on as a token that nobody can read."""
    polled = parse_poll(json_answer({"sets": {"a": "x.y.z", "b": 7}, "moreAvailable": True}))
    assert (polled.tokens, polled.more) == ({"a": "x.y.z", "b": ""}, True)
    nothing = parse_poll(json_answer({}))
    assert (nothing.tokens, nothing.more) == ({}, False)


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        (ProviderResponse(200, {}, b"<html>"), False),
        (ProviderResponse(200, {}, b"[]"), False),
        (json_answer({"sets": []}), False),
        (json_answer({"sets": {str(n): "x" for n in range(MAX_SETS + 1)}}), False),
        (ProviderResponse(200, {}, b'{"sets":{},"sets":{"a":"b"}}'), False),
        (ProviderResponse(302), False),
        (ProviderResponse(401), False),
        (ProviderResponse(429), True),
        (ProviderResponse(503), True),
    ],
)
def test_what_is_no_answer_is_an_error(answer: ProviderResponse, retryable: bool) -> None:
    """Which of them time may fix is told apart."""
    with pytest.raises(ProviderError) as raised:
        parse_poll(answer)
    assert raised.value.retryable is retryable


@settings(deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["sets", "moreAvailable", "x"]),
        st.none() | st.booleans() | st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers()),
    ).map(lambda found: json.dumps(found).encode())
)
def test_any_answer_is_read_or_refused(body: bytes) -> None:
    """A transmitter may be sick."""
    with suppress(ProviderError):
        polled = parse_poll(ProviderResponse(200, {}, body))
        assert all(isinstance(token, str) for token in polled.tokens.values())
