"""Keys of our own: what they sign is verified by anybody's tools, and the key never shows."""

from __future__ import annotations

import jwt
import pytest

from gateway.oidc.jose.signing_key import SigningKey, jwks_of


def test_what_a_key_signs_is_verified_with_its_published_half() -> None:
    """By its id, among others, and after a round through PEM."""
    first, second = SigningKey.new(), SigningKey.new()
    keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(jwks_of([first, second])).keys}
    for key in (first, SigningKey.parse(second.pem)):
        token = key.signed({"sub": "alice"}, "JWT")
        header = jwt.get_unverified_header(token)
        assert (header["alg"], header["typ"], header["kid"]) == ("ES256", "JWT", key.public.kid)
        assert jwt.decode(token, keys[header["kid"]], algorithms=["ES256"]) == {"sub": "alice"}
    assert "d" not in first.jwk


@pytest.mark.parametrize("text", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_in_plain_words(text: str) -> None:
    """And never shown."""
    with pytest.raises(ValueError, match="is not a private key in PEM"):
        SigningKey.parse(text)
