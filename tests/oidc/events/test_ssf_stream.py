from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.oidc.events.ssf_stream import (
    StreamEndpoints,
    Wanted,
    check_done,
    create_request,
    delete_request,
    parse_stream,
    parse_stream_metadata,
    show_request,
    stream_metadata_request,
    verify_request,
)
from gateway.oidc.wire import ProviderResponse
from tests.oidc.documents import json_answer

ORG = "https://example.okta.com"
METADATA = {
    "issuer": ORG,
    "spec_version": "1_0-ID3",
    "jwks_uri": f"{ORG}/oauth2/v1/keys",
    "configuration_endpoint": f"{ORG}/api/v1/ssf/stream",
    "status_endpoint": f"{ORG}/api/v1/ssf/stream/status",
    "verification_endpoint": f"{ORG}/api/v1/ssf/stream/verification",
}
OKTA = parse_stream_metadata(json_answer(METADATA), issuer=ORG)


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        (ORG, f"{ORG}/.well-known/ssf-configuration"),
        (f"{ORG}/", f"{ORG}/.well-known/ssf-configuration"),
        ("https://tr.example/tenant/7", "https://tr.example/.well-known/ssf-configuration/tenant/7"),
    ],
)
def test_the_metadata_is_before_the_issuer_s_own_path(issuer: str, address: str) -> None:
    """SSF 1.0 §7.2."""
    assert stream_metadata_request(issuer).url == address


def test_an_issuer_that_is_no_url_has_none() -> None:
    """It is the operator's to correct."""
    with pytest.raises(ConfigurationError):
        stream_metadata_request("example.okta.com")


def test_the_metadata_names_the_endpoints() -> None:
    """And whether a draft is spoken."""
    assert (
        StreamEndpoints(
            f"{ORG}/api/v1/ssf/stream",
            f"{ORG}/api/v1/ssf/stream/status",
            f"{ORG}/api/v1/ssf/stream/verification",
            draft=True,
        )
        == OKTA
    )
    final = {"issuer": ORG, "spec_version": "1_0", "configuration_endpoint": f"{ORG}/s"}
    assert parse_stream_metadata(json_answer(final), issuer=ORG) == StreamEndpoints(
        f"{ORG}/s", None, None, draft=False
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "https://evil.example"}, "issuer_mismatch"),
        ({"issuer": None}, "issuer_mismatch"),
        ({"configuration_endpoint": None}, "bad_response"),
        ({"configuration_endpoint": "http://127.0.0.1/stream"}, "bad_response"),
        ({"configuration_endpoint": "file:///etc/passwd"}, "bad_response"),
        ({"status_endpoint": 7}, "bad_response"),
    ],
)
def test_metadata_that_cannot_be_believed_is_refused(changes: dict[str, Any], code: str) -> None:
    """Our token would go to whatever address it names."""
    with pytest.raises(ProviderError) as raised:
        parse_stream_metadata(json_answer({**METADATA, **changes}), issuer=ORG)
    assert raised.value.code == code


def test_a_stream_that_is_pushed_is_told_where_to() -> None:
    """With the secret, and with the form of subjects that Okta wants to be told."""
    wanted = Wanted(["https://schemas.example/e"], "https://app.example.com/oauth2/security-events", "hush")
    request = create_request(OKTA, wanted, "the-token")
    assert request.headers["authorization"] == "Bearer the-token"
    assert json.loads(request.body) == {
        "events_requested": ["https://schemas.example/e"],
        "delivery": {
            "method": "urn:ietf:rfc:8935",
            "endpoint_url": "https://app.example.com/oauth2/security-events",
            "authorization_header": "hush",
        },
        "format": "iss_sub",
    }
    assert "hush" not in repr(request)


def test_a_stream_that_is_fetched_names_no_address() -> None:
    """The transmitter does; and SSF 1.0 knows no form."""
    final = StreamEndpoints(f"{ORG}/s", None, None, draft=False)
    asked = json.loads(create_request(final, Wanted([], None, "hush"), "t").body)
    assert asked == {"events_requested": [], "delivery": {"method": "urn:ietf:rfc:8936"}}


def test_a_stream_is_named_where_it_has_a_name() -> None:
    """Escaped, whatever it is."""
    assert show_request(OKTA.configuration, "t", None).url == OKTA.configuration
    assert show_request(OKTA.configuration, "t", "a&b").url == f"{OKTA.configuration}?stream_id=a%26b"
    assert delete_request(OKTA, "t", "s").method == "DELETE"
    assert json.loads(verify_request(f"{ORG}/v", "t", "s", "x").body) == {"stream_id": "s", "state": "x"}


def test_without_a_secret_none_is_named() -> None:
    """An empty one would be one that anybody knows."""
    asked = json.loads(create_request(OKTA, Wanted(["x"], "https://app.example.com/e", None), "t").body)
    assert asked["delivery"].keys() == {"method", "endpoint_url"}


def test_a_secret_that_the_transmitter_repeats_is_not_shown() -> None:
    """It would end up on a screen."""
    told = parse_stream(json_answer({"stream_id": "s", "delivery": {"authorization_header": "hush"}}, 201))
    assert told["stream_id"] == "s"
    assert "hush" not in str(told)


@pytest.mark.parametrize(
    ("status", "why"), [(401, "token"), (404, "no such"), (409, "delete it"), (500, "500")]
)
def test_a_refusal_is_said_in_words(status: int, why: str) -> None:
    """What to do about it, where that is known."""
    with pytest.raises(ProviderError, match=why):
        check_done(ProviderResponse(status))


@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(list(METADATA)),
        st.none() | st.integers() | st.text(max_size=30) | st.just("https://["),
        max_size=3,
    ),
    body=st.binary(max_size=100),
)
def test_any_document_is_read_or_refused(changes: dict[str, Any], body: bytes) -> None:
    """Of a transmitter that is sick or hostile."""
    for answer in (json_answer({**METADATA, **changes}), ProviderResponse(200, {}, body)):
        with suppress(ProviderError):
            parse_stream_metadata(answer, issuer=ORG)
        with suppress(ProviderError):
            parse_stream(answer)
