from __future__ import annotations

import pytest

from gateway.core.errors import ConfigurationError
from gateway.oidc.signin.providers import PRESETS, Endpoints, endpoints_on, origin, preset_of


def test_every_kind_of_the_configuration_has_a_preset() -> None:
    """The kinds that design section 8 lists, and no other."""
    assert set(PRESETS) == {"cognito", "okta", "oidc", "keycloak", "entra", "auth0", "google"}
    assert all(PRESETS[kind].kind == kind for kind in PRESETS)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """The fix lists what could have been meant."""
    with pytest.raises(ConfigurationError) as caught:
        preset_of("cogneto")
    assert "cognito" in caught.value.fix


def test_cognito_keeps_its_endpoints_on_the_domain() -> None:
    """Issuer and hosted UI are different hosts at AWS, and the paths are fixed."""
    domain = "https://example.auth.eu-west-1.amazoncognito.com"
    assert endpoints_on(domain + "/", preset_of("cognito")) == Endpoints(
        f"{domain}/oauth2/authorize", f"{domain}/oauth2/token", f"{domain}/oauth2/revoke"
    )


def test_other_kinds_know_their_endpoints_by_discovery_only() -> None:
    """A domain says nothing about where their endpoints are."""
    assert endpoints_on("https://example.okta.com", preset_of("okta")) is None


@pytest.mark.parametrize(
    "url", ["http://example.com", "https://example.com/path", "https://e.com?x", "e.com", ""]
)
def test_only_an_origin_is_an_origin(url: str) -> None:
    """A path, a query or plain http is refused, naming the key."""
    with pytest.raises(ConfigurationError, match=r"provider\.domain"):
        origin(url, "provider.domain")
