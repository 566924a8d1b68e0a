"""What is known of each provider's end of session, and that the documentation says the same."""

from __future__ import annotations

import pytest

from gateway.config.names import HOPS
from gateway.core.evidence import Asked
from gateway.oidc.sign_outs import SIGN_OUTS, Ends, FormUse, sign_out_of


def test_every_hop_that_can_be_written_is_known() -> None:
    """And Okta as an OpenID provider, whose hop is `oidc`."""
    assert set(SIGN_OUTS) == {*HOPS, "okta"}


@pytest.mark.parametrize(
    ("hop", "kind", "known"),
    [
        ("oidc", "okta", "okta"),
        ("oidc", "keycloak", "keycloak"),
        ("oidc", "oidc", "oidc"),
        ("oidc", "entra", "oidc"),
        ("oidc", "auth0", "oidc"),
        ("keycloak", "keycloak", "keycloak"),
        ("okta_signout", "okta", "okta_signout"),
        ("okta_signout", "cognito", "okta_signout"),
    ],
)
def test_a_provider_has_its_manners_by_whichever_name_it_is_called(hop: str, kind: str, known: str) -> None:
    """Another's end of session, asked as OpenID Connect has it, is not the one that is known."""
    assert sign_out_of(hop, kind) is SIGN_OUTS[known]


def test_an_unknown_provider_gets_no_form_and_proves_nothing() -> None:
    """Its cookies are not known, nor what it makes of what it is asked."""
    for name in ("oidc", "url"):
        assert (SIGN_OUTS[name].form, SIGN_OUTS[name].ends) == (FormUse.NEVER, Ends.NEVER)


@pytest.mark.parametrize("asked", list(Asked))
def test_a_return_means_the_end_where_the_provider_was_asked_so(asked: Asked) -> None:
    """Who asks the person when there is no hint leads back whatever the answer."""
    assert SIGN_OUTS["cognito"].ended(asked)
    assert SIGN_OUTS["keycloak"].ended(asked)
    assert SIGN_OUTS["entra"].ended(asked) is (asked is Asked.HINT)
    assert not SIGN_OUTS["oidc"].ended(asked)
