"""A provider that lies in its ID tokens: one named case for each lie."""

from __future__ import annotations

import pytest

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import KeySet, parse_key_set
from gateway.oidc.signin.id_token import Expected, verify_id_token
from gateway.oidc.wire import ProviderResponse
from tests.fakes.forge import CLIENT, ISSUER, LIES, NOW, Forge, Lie, rsa_key
from tests.oidc.documents import json_answer

EXPECTED = Expected(
    issuer=ISSUER,
    client_id=CLIENT,
    nonce="the-nonce",
    token_kind=("token_use", "id"),
    access_token="the-access-token",
)


def published() -> KeySet:
    """The two keys that Cognito publishes: one for ID tokens, one for access tokens."""
    return parse_key_set(json_answer({"keys": [rsa_key("id").jwk(), rsa_key("access").jwk()]}))


def test_the_honest_token_is_accepted() -> None:
    """Without this, every refusal below would prove nothing."""
    verified = verify_id_token(Forge().honest(), keys=published(), expected=EXPECTED, now=NOW)
    assert (verified.issuer, verified.subject) == (ISSUER, "alice-sub")
    assert (verified.issued_at, verified.expires, verified.auth_time) == (NOW, NOW + 3600, NOW - 5)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_refused_by_name(lie: Lie) -> None:
    """Each lie is refused with its own code, and the detail begins with the member at fault."""
    with pytest.raises(ProviderError) as caught:
        verify_id_token(lie.tell(Forge()), keys=published(), expected=EXPECTED, now=NOW)
    assert (caught.value.code, caught.value.retryable) == (lie.code, False)
    assert caught.value.detail.startswith(lie.member)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_refusal_tells_nothing_of_the_token(lie: Lie) -> None:
    """Neither the token nor a line break of it reaches the error's text."""
    token = lie.tell(Forge())
    with pytest.raises(ProviderError) as caught:
        verify_id_token(token, keys=published(), expected=EXPECTED, now=NOW)
    assert all(len(part) < 20 or part not in str(caught.value) for part in token.split("."))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_two_keys_under_one_id_accept_what_either_has_signed() -> None:
    """A provider that repeats a key id: the token must verify under one of the keys it publishes for it."""
    twice = parse_key_set(json_answer({"keys": [rsa_key("access").jwk(kid="id"), rsa_key("id").jwk()]}))
    assert verify_id_token(Forge().honest(), keys=twice, expected=EXPECTED, now=NOW).subject == "alice-sub"


def test_two_keys_under_one_id_refuse_a_strangers_signature() -> None:
    """A repeated key id is no way in for a third key."""
    twice = parse_key_set(json_answer({"keys": [rsa_key("access").jwk(kid="id"), rsa_key("id").jwk()]}))
    forged = LIES["stranger's key under our kid"].tell(Forge())
    with pytest.raises(ProviderError, match="signature"):
        verify_id_token(forged, keys=twice, expected=EXPECTED, now=NOW)


def test_a_shared_secret_in_the_key_set_is_no_key() -> None:
    """A symmetric key that the provider publishes by mistake verifies nothing."""
    secret = {"kty": "oct", "kid": "id", "k": "c2VjcmV0", "alg": "HS256"}
    with pytest.raises(ProviderError, match="no key"):
        parse_key_set(json_answer({"keys": [secret]}))


def test_a_private_key_in_the_key_set_serves_as_its_public_half() -> None:
    """Private members are never read, so a leaking provider makes us hold no secret."""
    leaked = {**rsa_key("id").jwk(), "d": "AQAB", "p": "AQAB"}
    keys = parse_key_set(json_answer({"keys": [leaked]}))
    assert verify_id_token(Forge().honest(), keys=keys, expected=EXPECTED, now=NOW).subject == "alice-sub"


def test_an_html_page_is_no_key_set() -> None:
    """A captive portal's page is refused as what it is."""
    with pytest.raises(ProviderError, match="well-formed JSON"):
        parse_key_set(
            ProviderResponse(200, {"content-type": "text/html"}, b"<html>sign in to the network</html>")
        )
