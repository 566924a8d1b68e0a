from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import ALGORITHMS, KeySet, certificate_keys, parse_key_set, refetch_allowed
from tests.fakes.forge import SigningKey, ec_key, ed_key, rsa_key
from tests.oidc.documents import json_answer


def keys_of(*jwks: Any) -> KeySet:
    """The usable keys among ``jwks``."""
    return parse_key_set(json_answer({"keys": list(jwks)}))


def test_only_public_key_algorithms_are_accepted() -> None:
    """No none and no HMAC, whatever a token says (RFC 8725 §3.1)."""
    assert set(ALGORITHMS) == {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA"),
    }


@pytest.mark.parametrize(
    "key", [rsa_key("k"), ec_key("k"), ec_key("k", "ES384"), ec_key("k", "ES512"), ed_key("k")]
)
def test_each_key_type_is_found_for_its_algorithm_alone(key: Any) -> None:
    """A key declared for one algorithm is a candidate for no other."""
    keys = keys_of(key.jwk())
    assert {name for name in ALGORITHMS if keys.candidates("k", name)} == {key.algorithm}


def test_a_key_that_names_no_algorithm_fits_those_of_its_type() -> None:
    """RSA keys serve all RSA algorithms, a curve only its own."""
    assert {n for n in ALGORITHMS if keys_of(rsa_key("k").jwk(alg=None)).candidates("k", n)} == {
        name for name in ALGORITHMS if name[:2] in {"RS", "PS"}
    }
    assert {n for n in ALGORITHMS if keys_of(ec_key("k").jwk(alg=None)).candidates("k", n)} == {"ES256"}


def test_a_key_id_is_compared_whole() -> None:
    """Prefix, case and absence are other ids."""
    keys = keys_of(rsa_key("Kid").jwk(), rsa_key("other").jwk())
    assert [len(keys.candidates(kid, "RS256")) for kid in ("Kid", "kid", "Ki", "", None)] == [1, 0, 0, 0, 0]


def test_without_a_key_id_the_only_fitting_key_is_taken() -> None:
    """OpenID Connect Core §10.1: the id may be left out when there is nothing to choose."""
    keys = keys_of(rsa_key("r").jwk(), ec_key("e").jwk())
    assert [key.kid for key in keys.candidates(None, "ES256")] == ["e"]


@pytest.mark.parametrize(
    "jwk",
    [
        7,
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": ["RSA"]},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "AQ=B", "e": "AQAB"},
        {"kty": "RSA", "n": "A" * 5000, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        rsa_key("k").jwk(use="enc"),
        rsa_key("k").jwk(key_ops=["encrypt"]),
        rsa_key("k").jwk(key_ops="verify"),
        rsa_key("k").jwk(alg="RSA-OAEP"),
        rsa_key("k").jwk(alg="HS256"),
        rsa_key("k").jwk(alg="none"),
        rsa_key("k").jwk(kid=7),
        rsa_key("k").jwk(e="AA"),
        rsa_key("k").jwk(e="Ag"),
        rsa_key("short", bits=1024).jwk(),
        {**rsa_key("k").jwk(), "n": rsa_key("k").jwk()["n"] + "!!!!"},
        ec_key("k", "ES256K").jwk(),
        ec_key("k", "ES256K").jwk(alg=None),
        {**ec_key("k").jwk(), "crv": "P-384"},
    ],
)
def test_an_unusable_key_is_passed_over(jwk: Any) -> None:
    """One odd key in the set must not cost the sign-in with the others; alone it is an error."""
    assert [key.kid for key in keys_of(jwk, rsa_key("good").jwk()).keys] == ["good"]
    with pytest.raises(ProviderError, match="no key"):
        keys_of(jwk)


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": []}, []])
def test_a_set_without_keys_is_an_error(document: Any) -> None:
    """An empty set must never replace a good one."""
    with pytest.raises(ProviderError) as caught:
        parse_key_set(json_answer(document))
    assert caught.value.code == "bad_response"


def test_an_endless_set_is_read_to_a_bound() -> None:
    """A provider cannot keep us busy with keys."""
    assert len(keys_of(*[rsa_key("k").jwk(kid=str(number)) for number in range(100)]).keys) == 64


def test_a_refetch_is_allowed_every_thirty_seconds() -> None:
    """Made-up key ids cannot turn into a flood towards the provider."""
    assert refetch_allowed(None, now=0.0)
    assert not refetch_allowed(100.0, now=129.9)
    assert refetch_allowed(100.0, now=130.0)


def certificate(key: SigningKey) -> bytes:
    """A certificate of ``key``'s public half, as in the metadata of a SAML application; long expired."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.okta.com")])
    then = datetime(2001, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.private.public_key())
        .serial_number(1)
        .not_valid_before(then)
        .not_valid_after(then + timedelta(days=1))
        .sign(key.private, None if key.algorithm == "EdDSA" else hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    "key", [rsa_key("a"), ec_key("b", "ES384"), ed_key("c")], ids=["RSA", "EC", "Ed25519"]
)
def test_the_key_of_a_certificate_is_good_for_any_id(key: SigningKey) -> None:
    """SAML metadata gives it none, and the sender may name one all the same."""
    keys = certificate_keys(certificate(key))
    assert len(keys.candidates("whatever", key.algorithm)) == len(keys.candidates(None, key.algorithm)) == 1
    assert keys.candidates("whatever", "PS512" if key.algorithm != "RS256" else "ES256") == ()


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", certificate(rsa_key("short", bits=1024)), certificate(ec_key("k", "ES256K"))]
)
def test_other_certificates_are_refused(pem: bytes) -> None:
    """Unreadable, or with a key that no signature is accepted of."""
    with pytest.raises(ProviderError, match="bad_certificate"):
        certificate_keys(pem)
