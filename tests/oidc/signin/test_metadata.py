from __future__ import annotations

from typing import Any

import pytest

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.oidc.providers.registry import PROVIDERS
from gateway.oidc.signin.metadata import Endpoints, endpoints_on, metadata_request, origin, parse_metadata
from tests.fakes.forge import ISSUER
from tests.oidc.documents import json_answer

DOMAIN = "https://example.auth.eu-west-1.amazoncognito.com"


def cognito(**changes: Any) -> dict[str, Any]:
    """Metadata as Cognito serves it, with ``changes``; None takes a member out."""
    found = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{DOMAIN}/oauth2/authorize",
        "token_endpoint": f"{DOMAIN}/oauth2/token",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "end_session_endpoint": f"{DOMAIN}/logout",
        "revocation_endpoint": f"{DOMAIN}/oauth2/revoke",
        "id_token_signing_alg_values_supported": ["RS256"],
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        (ISSUER, f"{ISSUER}/.well-known/openid-configuration"),
        ("https://x.auth0.com/", "https://x.auth0.com/.well-known/openid-configuration"),
        ("http://op.localhost:8081/p", "http://op.localhost:8081/p/.well-known/openid-configuration"),
    ],
)
def test_the_metadata_is_under_the_issuer(issuer: str, url: str) -> None:
    """OpenID Connect Discovery 1.0 §4.1: a closing slash of the issuer is not doubled."""
    assert metadata_request(issuer).url == url


@pytest.mark.parametrize("issuer", ["http://op.example", "op.example", "", f"{ISSUER}?x=1", f"{ISSUER}#x"])
def test_an_issuer_that_cannot_have_metadata_is_refused(issuer: str) -> None:
    """Plain http off this machine, no URL at all, a query or fragment."""
    with pytest.raises(ConfigurationError):
        metadata_request(issuer)


def test_cognitos_metadata_is_read() -> None:
    """All the gateway uses of it."""
    found = parse_metadata(json_answer(cognito()), issuer=ISSUER)
    assert found.endpoints == Endpoints(
        f"{DOMAIN}/oauth2/authorize", f"{DOMAIN}/oauth2/token", f"{DOMAIN}/oauth2/revoke"
    )
    assert (found.jwks_uri, found.end_session, found.iss_required) == (
        f"{ISSUER}/.well-known/jwks.json",
        f"{DOMAIN}/logout",
        False,
    )


def test_what_is_optional_may_be_missing() -> None:
    """Older Cognito metadata has neither revocation nor end-session endpoint."""
    answer = json_answer(cognito(revocation_endpoint=None, end_session_endpoint=None))
    found = parse_metadata(answer, issuer=ISSUER)
    assert (found.endpoints.revocation, found.end_session) == (None, None)


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "https://evil.example", None, 7, [ISSUER]])
def test_the_issuer_must_be_the_configured_one_to_the_letter(issuer: Any) -> None:
    """OpenID Connect Discovery 1.0 §4.3; a slash more is another issuer."""
    with pytest.raises(ProviderError) as caught:
        parse_metadata(json_answer(cognito(issuer=issuer)), issuer=ISSUER)
    assert caught.value.code == "issuer_mismatch"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "value", [None, "", 7, "http://op.example/x", "http://127.0.0.1/x", "/x", "https://e.com/#x"]
)
def test_a_required_endpoint_is_there_and_https(name: str, value: Any) -> None:
    """Also not http on loopback, since the issuer is https."""
    with pytest.raises(ProviderError) as caught:
        parse_metadata(json_answer(cognito(**{name: value})), issuer=ISSUER)
    assert caught.value.code == "bad_response"
    assert name in caught.value.detail


@pytest.mark.parametrize("name", ["revocation_endpoint", "end_session_endpoint"])
def test_an_optional_endpoint_that_is_there_must_be_good(name: str) -> None:
    """A bad URL is not taken for an absent one."""
    with pytest.raises(ProviderError):
        parse_metadata(json_answer(cognito(**{name: "http://op.example/x"})), issuer=ISSUER)


@pytest.mark.parametrize(("said", "required"), [(True, True), (False, False), ("true", False), (1, False)])
def test_iss_is_required_when_the_provider_promises_it(said: Any, required: bool) -> None:
    """RFC 9207 §3."""
    answer = json_answer(cognito(authorization_response_iss_parameter_supported=said))
    assert parse_metadata(answer, issuer=ISSUER).iss_required is required


def test_cognito_keeps_its_endpoints_on_the_domain() -> None:
    """Issuer and hosted UI are different hosts at AWS, and the paths are fixed."""
    assert endpoints_on(f"{DOMAIN}/", PROVIDERS["cognito"].paths) == Endpoints(
        f"{DOMAIN}/oauth2/authorize", f"{DOMAIN}/oauth2/token", f"{DOMAIN}/oauth2/revoke"
    )


def test_other_kinds_know_their_endpoints_by_discovery_only() -> None:
    """A domain says nothing about where their endpoints are."""
    assert endpoints_on("https://example.okta.com", PROVIDERS["okta"].paths) is None


@pytest.mark.parametrize(
    "url", ["http://example.com", "https://example.com/path", "https://e.com?x", "e.com", ""]
)
def test_only_an_origin_is_an_origin(url: str) -> None:
    """A path, a query or plain http is refused, naming the key."""
    with pytest.raises(ConfigurationError, match=r"provider\.domain"):
        origin(url, "provider.domain")
