from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError, ProviderError
from gateway.oidc.signin.authorization import (
    AuthorizationCode,
    AuthorizationRefusal,
    AuthorizationResponse,
    authorization_url,
    read_response,
)

ISSUER = "https://op.example"


def test_the_authorization_request_is_exact_to_the_byte() -> None:
    """Order and encoding are fixed; providers compare redirect_uri byte for byte."""
    url = authorization_url(
        "https://d.example/oauth2/authorize",
        client_id="client 1",
        redirect_uri="https://app.example.com/oauth2/callback",
        scopes=("openid", "email"),
        state="s-_1",
        nonce="n",
        code_challenge="c",
        extra=[("prompt", "login"), ("identity_provider", "Okta & Söhne")],
    )
    assert url == (
        "https://d.example/oauth2/authorize?response_type=code&client_id=client%201"
        "&redirect_uri=https%3A%2F%2Fapp.example.com%2Foauth2%2Fcallback&scope=openid%20email"
        "&state=s-_1&nonce=n&code_challenge=c&code_challenge_method=S256"
        "&prompt=login&identity_provider=Okta%20%26%20S%C3%B6hne"
    )


@settings(deadline=None)
@given(value=st.text(max_size=50))
def test_no_value_can_add_a_parameter(value: str) -> None:
    """Whatever a value holds, a reader of the URL gets it back whole and nothing else."""
    if any("\ud800" <= char <= "\udfff" for char in value):
        return
    url = authorization_url(
        "https://d.example/a",
        client_id="c",
        redirect_uri=value,
        scopes=(),
        state="s",
        nonce="n",
        code_challenge="c",
    )
    assert url.isascii() and url.isprintable()
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert [name for name, _ in pairs].count("redirect_uri") == 1
    assert len(pairs) == 8
    assert dict(pairs)["redirect_uri"] == value


def test_a_matching_answer_yields_its_code() -> None:
    """Code and state, in any order, and parameters nobody knows."""
    response = read_response("session_state=x&state=s1&code=SplxlOBeZQQYbYS6WxSbIA%2B")
    code = response.verified(state="s1", issuer=ISSUER)
    assert isinstance(code, AuthorizationCode)
    assert code.value == "SplxlOBeZQQYbYS6WxSbIA+"


def test_a_code_is_made_by_verification_alone() -> None:
    """Nobody can redeem a string from the request without comparing its state."""
    with pytest.raises(TypeError):
        AuthorizationCode("stolen", proof=object())


def test_an_answer_put_together_by_hand_yields_no_empty_code() -> None:
    """Verification does not rely on who read the answer."""
    with pytest.raises(DownstreamError):
        AuthorizationResponse(state="s", code=None, iss=None, refusal=None).verified(state="s", issuer=ISSUER)


def test_code_and_state_stay_out_of_reprs() -> None:
    """A log line of the answer helps nobody to redeem it."""
    response = read_response("code=s3cret&state=st4te")
    assert "s3cret" not in repr(response) and "st4te" not in repr(response)
    assert "s3cret" not in repr(response.verified(state="st4te", issuer=ISSUER))


@pytest.mark.parametrize(
    "query",
    ["code=c", "code=c&state=", "code=c&state=other", "code=c&state=S1", "error=access_denied&state=x"],
)
def test_another_attempts_answer_is_refused(query: str) -> None:
    """Missing, empty, other, differently cased: the state is compared whole."""
    with pytest.raises(DownstreamError) as caught:
        read_response(query).verified(state="s1", issuer=ISSUER)
    assert caught.value.code == "state_mismatch"


def test_an_empty_expected_state_matches_nothing() -> None:
    """A lost attempt cannot be met by an answer with an empty state."""
    with pytest.raises(DownstreamError):
        read_response("code=c&state=").verified(state="", issuer=ISSUER)


@pytest.mark.parametrize("iss", ["https://evil.example", "", "https://op.example/"])
def test_iss_is_compared_when_present(iss: str) -> None:
    """RFC 9207: the mix-up of two providers is seen even where the parameter is not promised."""
    query = f"code=c&state=s1&iss={quote(iss, safe='')}"
    with pytest.raises(ProviderError) as caught:
        read_response(query).verified(state="s1", issuer=ISSUER)
    assert caught.value.code == "issuer_mismatch"


def test_iss_may_be_missing_unless_it_was_promised() -> None:
    """Cognito documents none."""
    response = read_response("code=c&state=s1")
    assert isinstance(response.verified(state="s1", issuer=ISSUER), AuthorizationCode)
    with pytest.raises(ProviderError, match="issuer"):
        response.verified(state="s1", issuer=ISSUER, iss_required=True)


def test_a_right_iss_passes() -> None:
    """Okta and Keycloak send it."""
    response = read_response("code=c&state=s1&iss=https%3A%2F%2Fop.example")
    assert isinstance(response.verified(state="s1", issuer=ISSUER, iss_required=True), AuthorizationCode)


@pytest.mark.parametrize(
    "name", ["code", "state", "iss", "error", "error_description", "error_uri", "c%6fde"]
)
def test_a_protocol_parameter_twice_is_refused(name: str) -> None:
    """RFC 6749 §3.1, also when one of the two is spelt with an escape."""
    with pytest.raises(DownstreamError, match="twice"):
        read_response(f"code=c&state=s&{name}=1&{name}=2")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=s",
        "code=&state=s",
        "code=c&error=access_denied&state=s",
        "code=%zz&state=s",
        "code=%&state=s",
        "code=%ff&state=s",
        "code=c%00&state=s",
        "code=c%0d%0a&state=s",
        "code=c&state=s%0a",
        "code=%C3%A9&state=s",
        "code=é&state=s",
        "code=" + "c" * 4097 + "&state=s",
        "code=c&state=" + "s" * 9000,
        "&".join(["x=1"] * 60) + "&code=c&state=s",
    ],
)
def test_a_malformed_answer_is_refused(query: str) -> None:
    """Neither or both of code and error, broken encoding, control characters, too long, too many."""
    with pytest.raises(DownstreamError) as caught:
        read_response(query)
    assert caught.value.code == "bad_callback"


def test_a_refusal_is_a_value_with_tame_text() -> None:
    """Cognito puts free text of the federated provider into error_description."""
    query = "error=invalid_request&state=s1&error_description=Okta%0D%0A%3Cscript%3E" + "x" * 500
    refusal = read_response(query).verified(state="s1", issuer=ISSUER)
    assert isinstance(refusal, AuthorizationRefusal)
    assert refusal.error == "invalid_request"
    assert refusal.description.startswith("Okta <script>x")
    assert refusal.description.isprintable() and len(refusal.description) <= 200


def test_an_error_code_of_another_form_is_unknown() -> None:
    """It ends up in logs and metrics, so it has to look like a code."""
    assert read_response("error=%3Cb%3E&state=s").refusal == AuthorizationRefusal("unknown", "")
    assert read_response("error=" + "a" * 65).refusal == AuthorizationRefusal("unknown", "")


def test_a_refusal_without_state_can_be_read_but_belongs_to_no_attempt() -> None:
    """Cognito leaves the state out of some refusals; a page may tell of it, no attempt is ended by it."""
    response = read_response("error=invalid_request&error_description=no")
    assert response.refusal == AuthorizationRefusal("invalid_request", "no")
    with pytest.raises(DownstreamError):
        response.verified(state="s1", issuer=ISSUER)
