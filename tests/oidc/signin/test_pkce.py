from __future__ import annotations

import pytest

from gateway.oidc.signin.pkce import code_challenge


def test_the_challenge_is_that_of_the_standard() -> None:
    """The example of RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + " ", "a" * 43 + "\n", "ä" * 43])
def test_a_weak_or_malformed_verifier_is_a_programming_error(verifier: str) -> None:
    """RFC 7636 §4.1 sets length and alphabet."""
    with pytest.raises(ValueError, match="43 to 128"):
        code_challenge(verifier)
