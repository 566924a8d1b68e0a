from __future__ import annotations

import pytest

from gateway.core.errors import ConfigurationError
from gateway.oidc.logout import CognitoSignout, OktaSignout


def test_cognitos_hop_is_exact() -> None:
    """client_id and logout_uri, nothing of OIDC's, nothing else."""
    hop = CognitoSignout("https://example.auth.eu-west-1.amazoncognito.com", "1h57kf5cpq17m0eml12EXAMPLE")
    assert hop.url("https://app.example.com/logout/done/cognito") == (
        "https://example.auth.eu-west-1.amazoncognito.com/logout?client_id=1h57kf5cpq17m0eml12EXAMPLE"
        "&logout_uri=https%3A%2F%2Fapp.example.com%2Flogout%2Fdone%2Fcognito"
    )


def test_oktas_hop_is_exact() -> None:
    """fromURI, capitals included."""
    assert OktaSignout("https://example.okta.com/").url("https://app.example.com/logged-out") == (
        "https://example.okta.com/login/signout?fromURI=https%3A%2F%2Fapp.example.com%2Flogged-out"
    )


def test_hops_work_on_localhost() -> None:
    """The demo's names, with their ports."""
    assert OktaSignout("http://okta.localhost:8082").url("http://app.localhost:8080/x") == (
        "http://okta.localhost:8082/login/signout?fromURI=http%3A%2F%2Fapp.localhost%3A8080%2Fx"
    )


@pytest.mark.parametrize(
    "base", ["http://example.okta.com", "https://example.okta.com/app", "example.okta.com"]
)
def test_a_hop_needs_an_https_origin(base: str) -> None:
    """A path or plain http in the configuration is refused, not repaired."""
    with pytest.raises(ConfigurationError):
        OktaSignout(base).url("https://app.example.com/")
    with pytest.raises(ConfigurationError):
        CognitoSignout(base, "c").url("https://app.example.com/")
