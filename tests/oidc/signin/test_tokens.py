from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from gateway.core.errors import ProviderError
from gateway.oidc.signin.authorization import AuthorizationCode, read_response
from gateway.oidc.signin.tokens import (
    Client,
    ClientAuthentication,
    check_revocation,
    code_request,
    parse_tokens,
    refresh_request,
    revocation_request,
)
from gateway.oidc.wire import ProviderRequest, ProviderResponse
from tests.oidc.documents import json_answer

ENDPOINT = "https://d.example/oauth2/token"
TOKENS = {
    "access_token": "at",
    "id_token": "it",
    "refresh_token": "rt",
    "token_type": "Bearer",
    "expires_in": 3600,
}


def form_of(request: ProviderRequest) -> dict[str, str]:
    """The form in the body of ``request``."""
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))


def a_code() -> AuthorizationCode:
    """A verified code."""
    code = read_response("code=c%2F1&state=s").verified(state="s", issuer="https://op.example")
    assert isinstance(code, AuthorizationCode)
    return code


def test_a_code_is_redeemed_with_its_verifier_and_address() -> None:
    """RFC 6749 §4.1.3 and RFC 7636 §4.5; the secret travels in the header, not in the body."""
    request = code_request(
        ENDPOINT, Client("c", "s"), a_code(), code_verifier="v", redirect_uri="https://app.example/cb"
    )
    assert (request.method, request.url) == ("POST", ENDPOINT)
    assert form_of(request) == {
        "grant_type": "authorization_code",
        "code": "c/1",
        "redirect_uri": "https://app.example/cb",
        "code_verifier": "v",
    }
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"c:s").decode()


def test_basic_encodes_each_half_first() -> None:
    """RFC 6749 §2.3.1: a colon or umlaut in a secret does not change where it ends."""
    request = refresh_request(ENDPOINT, Client("a:b", "p %ü"), "rt")
    _, _, encoded = request.headers["authorization"].partition(" ")
    assert base64.b64decode(encoded) == b"a%3Ab:p+%25%C3%BC"


def test_the_secret_goes_into_the_body_when_configured() -> None:
    """client_secret_post, and then no Authorization header."""
    request = refresh_request(ENDPOINT, Client("c", "s", ClientAuthentication.POST), "rt")
    assert "authorization" not in request.headers
    assert form_of(request) == {
        "grant_type": "refresh_token",
        "refresh_token": "rt",
        "client_id": "c",
        "client_secret": "s",
    }


def test_a_public_client_names_itself_only() -> None:
    """Cognito's rule for clients without a secret, at revocation too."""
    request = revocation_request("https://d.example/oauth2/revoke", Client("c"), "rt")
    assert "authorization" not in request.headers
    assert form_of(request) == {"token": "rt", "client_id": "c"}


def test_secrets_stay_out_of_reprs() -> None:
    """Neither client secret nor tokens."""
    assert "s3cret" not in repr(Client("c", "s3cret"))
    assert "s3cret" not in repr(
        parse_tokens(
            json_answer({**TOKENS, **dict.fromkeys(("access_token", "id_token", "refresh_token"), "s3cret")}),
            id_token_required=True,
        )
    )


def test_the_tokens_are_read() -> None:
    """All four of them."""
    tokens = parse_tokens(json_answer(TOKENS), id_token_required=True)
    assert (tokens.access_token, tokens.id_token, tokens.refresh_token, tokens.expires_in) == (
        "at",
        "it",
        "rt",
        3600,
    )


def test_a_refresh_may_bring_neither_id_nor_refresh_token() -> None:
    """Cognito without rotation gives no new refresh token: the old one stays."""
    tokens = parse_tokens(
        json_answer({"access_token": "at", "token_type": "bearer"}), id_token_required=False
    )
    assert (tokens.id_token, tokens.refresh_token, tokens.expires_in) == (None, None, None)


@pytest.mark.parametrize(
    ("said", "read"),
    [("3600", 3600), (0, 0), (10**30, 315_360_000), (-1, None), (True, None), ("x", None), (1.5, None)],
)
def test_a_lifetime_is_a_bounded_number_or_unknown(said: Any, read: int | None) -> None:
    """It is a hint; some providers write it as a string."""
    answer = json_answer({**TOKENS, "expires_in": said})
    assert parse_tokens(answer, id_token_required=True).expires_in == read


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nb"},
        {"id_token": None},
        {"id_token": ["it"]},
        {"refresh_token": {"a": 1}},
        {"token_type": "mac"},
        {"token_type": None},
    ],
)
def test_a_malformed_token_answer_is_refused(changes: dict[str, Any]) -> None:
    """A 200 proves nothing by itself."""
    with pytest.raises(ProviderError) as caught:
        parse_tokens(json_answer({**TOKENS, **changes}), id_token_required=True)
    assert (caught.value.code, caught.value.retryable) == ("bad_response", False)


@pytest.mark.parametrize(
    ("status", "body", "code", "retryable"),
    [
        (400, {"error": "invalid_grant"}, "invalid_grant", False),
        (400, {"error": "invalid_grant", "error_description": "revoked"}, "invalid_grant", False),
        (401, {"error": "invalid_client"}, "invalid_client", False),
        (400, {"error": "invalid_client"}, "invalid_client", False),
        (401, "no JSON", "invalid_client", False),
        (
            400,
            {"error": "unauthorized_client", "error_description": "invalid_redirect"},
            "provider_error",
            False,
        ),
        (400, {"error": "temporarily_unavailable"}, "provider_error", True),
        (400, {"error": 7}, "provider_error", False),
        (400, "<html>", "provider_error", False),
        (403, "<html>", "provider_error", False),
        (404, {"error": "invalid_grant"}, "provider_error", False),
        (429, {"error": "invalid_grant"}, "provider_error", True),
        (500, {"error": "invalid_grant"}, "provider_error", True),
        (503, "", "provider_error", True),
        (302, {"error": "invalid_grant"}, "bad_response", False),
    ],
)
def test_an_error_says_whether_the_session_is_over(
    status: int, body: Any, code: str, retryable: bool
) -> None:
    """Only a 400, 401 or 403 can say invalid_grant: a server in trouble logs nobody out (rule R10)."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    with pytest.raises(ProviderError) as caught:
        parse_tokens(ProviderResponse(status, {}, raw), id_token_required=True)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_the_providers_words_reach_the_log_tamed() -> None:
    """error_description tells the operator why, and cannot forge a line."""
    body = {"error": "invalid_grant", "error_description": "no read\r\npermission" + "x" * 900}
    with pytest.raises(ProviderError) as caught:
        parse_tokens(json_answer(body, 400), id_token_required=True)
    assert "no read permission" in caught.value.detail
    assert caught.value.detail.isprintable() and len(caught.value.detail) < 300


def test_revocation_is_confirmed_by_200_alone() -> None:
    """Cognito answers an empty 200, also for a token it never knew; 503 means alive (RFC 7009 §2.2.1)."""
    check_revocation(ProviderResponse(200))
    for status in (204, 302, 400, 401, 500, 503):
        with pytest.raises(ProviderError):
            check_revocation(ProviderResponse(status))
