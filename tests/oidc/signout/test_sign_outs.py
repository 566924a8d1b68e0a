"""What a return means, by what is known of the provider."""

from __future__ import annotations

import pytest

from gateway.core.signout.evidence import Asked
from tests.fakes.hops import hop_of


@pytest.mark.parametrize("asked", list(Asked))
def test_a_return_means_the_end_where_the_provider_was_asked_so(asked: Asked) -> None:
    """Who asks the person when there is no hint leads back whatever the answer."""
    assert hop_of("cognito").known.ended(asked)
    assert hop_of("keycloak", kind="keycloak").known.ended(asked)
    assert hop_of("entra").known.ended(asked) is (asked is Asked.HINT)
    assert not hop_of("oidc").known.ended(asked)
