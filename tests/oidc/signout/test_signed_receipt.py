"""Signed receipts of sign-outs: made, read back, and every way not to be one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import ProviderError
from gateway.core.signout.chain import FAILED, RETURNED, HopState
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.signout.signed_receipt import (
    FINISHED,
    LogoutReceipt,
    ReceiptKey,
    claims_of,
    keys_from_jwks,
    keys_from_pem,
    verified,
    who_of,
)
from tests.fakes.forge import rsa_key

NOW = 1_800_000_000
KEY, OTHER = ReceiptKey.new(), ReceiptKey.new()
KEYS = KeySet((KEY.public,))
HOPS = (
    HopState("cognito", RETURNED, NOW + 1, "your browser reached the return address of Cognito"),
    HopState("okta_signout", FAILED, NOW + 60, "the browser did not come back"),
)
RECEIPT = LogoutReceipt(
    issuer="https://app.example.com",
    logout="0123456789abcdef",
    state=FINISHED,
    started=NOW,
    at=NOW + 60,
    durable=True,
    hops=HOPS,
    session="0a1b2c3d4e5f",
    who=who_of("https://idp.example.com", "s-1", "alice@example.com"),
    run="run-1",
    number=7,
)
HEADER = {"typ": "logout-receipt+jwt", "kid": KEY.public.kid}


def segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(claims: dict[str, object], **header: object) -> str:
    """Signed with our key, whatever it says."""
    pem = KEY.pem
    return jwt.encode(claims, pem, algorithm="ES256", headers={**HEADER, **header})


@pytest.mark.parametrize(
    "receipt",
    [
        RECEIPT,
        RECEIPT.unnumbered,
        LogoutReceipt("https://app.example.com", "x", "started", NOW, NOW, durable=False, how="post_json"),
    ],
)
def test_what_was_signed_is_read_back(receipt: LogoutReceipt) -> None:
    """Every member, present or not."""
    assert verified(KEY.sign(receipt), KEYS) == receipt


def test_any_jose_library_can_verify_one() -> None:
    """With nothing but the published key set."""
    token = KEY.sign(RECEIPT)
    header = jwt.get_unverified_header(token)
    (jwk,) = jwt.PyJWKSet.from_dict(KEY.jwks).keys
    claims = jwt.decode(token, jwk.key, algorithms=["ES256"], options={"verify_iat": False})
    assert header == {"alg": "ES256", "typ": "logout-receipt+jwt", "kid": jwk.key_id}
    assert claims["sub_id"] == {"format": "iss_sub", "iss": "https://idp.example.com", "sub": "s-1"}
    assert (claims["iss"], claims["jti"]) == ("https://app.example.com", "0123456789abcdef.finished")
    assert [hop["status"] for hop in claims["hops"]] == ["returned", "failed"]


def test_the_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    """So it is the same wherever the key is read from."""
    jwks: Any = KEY.jwks
    (jwk,) = jwks["keys"]
    members = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
    digest = hashlib.sha256(members.encode()).digest()
    assert jwk["kid"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert "d" not in jwk
    assert ReceiptKey.parse(KEY.pem).public.kid == jwk["kid"]


def test_the_public_key_comes_from_a_key_set_or_a_pem() -> None:
    """Also from the private key's file, for whoever verifies where it signs."""
    public = ec.EllipticCurvePublicKey
    assert isinstance(KEY.public.public, public)
    pem = KEY.public.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for keys in (keys_from_jwks(json.dumps(KEY.jwks)), keys_from_pem(pem), keys_from_pem(KEY.pem)):
        assert verified(KEY.sign(RECEIPT), keys) == RECEIPT


def hostile() -> dict[str, str]:
    token = KEY.sign(RECEIPT)
    header, payload, signature = token.split(".")
    claims = claims_of(RECEIPT)
    shared = KEY.public.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing = f"{segment({**HEADER, 'alg': 'HS256'})}.{payload}"
    mac = hmac.new(shared, signing.encode(), hashlib.sha256).digest()
    twice = b'{"alg":"ES256","alg":"none","typ":"logout-receipt+jwt","kid":"x"}'
    return {
        "nothing": "",
        "two segments": f"{header}.{payload}",
        "four segments": f"{token}.x",
        "padded": f"{token}=",
        "white space": f"{header}. {payload}.{signature}",
        "alg none": f"{segment({**HEADER, 'alg': 'none'})}.{payload}.",
        "alg none, signed": f"{segment({**HEADER, 'alg': 'none'})}.{payload}.{signature}",
        "the public key as a shared secret": f"{signing}.{segment(mac)}",
        "another algorithm": f"{segment({**HEADER, 'alg': 'ES384'})}.{payload}.{signature}",
        "another key": OTHER.sign(RECEIPT),
        "another key under our id": jwt.encode(claims, OTHER.pem, "ES256", headers=HEADER),
        "no key of ours": forged(claims, kid="nobody's"),
        "a key id that is no text": f"{segment({**HEADER, 'alg': 'ES256', 'kid': 1})}.{payload}.{signature}",
        "another type": forged(claims, typ="JWT"),
        "a critical extension": forged(claims, crit=["exp"]),
        "a member twice": f"{segment(twice)}.{payload}.{signature}",
        "other claims": f"{header}.{segment({**claims, 'user': 'bob'})}.{signature}",
        "a shortened signature": token[:-4],
        "a header that is a list": f"{segment([1])}.{payload}.{signature}",
        "deep nesting": f"{segment(b'[' * 9_000)}.{payload}.{signature}",
        "too long": f"{header}.{payload}{'A' * 20_000}.{signature}",
        "no text": "\ud800.\ud800.\ud800",
    }


@pytest.mark.parametrize("lie", list(hostile()))
def test_what_is_none_of_ours_is_refused(lie: str) -> None:
    """Whoever can write into a log can write all of this."""
    with pytest.raises(ProviderError) as caught:
        verified(hostile()[lie], KEYS)
    assert caught.value.code in {"token_rejected", "unknown_key"}
    assert caught.value.detail.isprintable()


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "resumed", "jti": "0123456789abcdef.resumed"},
        {"jti": "another"},
        {"durable": 1},
        {"started": "now"},
        {"iat": -1},
        {"hops": {}},
        {"hops": ["cognito"]},
        {"hops": [{"hop": "cognito"}]},
        {"sub_id": "alice"},
        {"sub_id": {"format": "email", "email": "a@x"}},
        {"user": "a\x00b"},
        {"number": True},
        {"iss": "a" * 256},
    ],
)
def test_a_signature_alone_makes_no_receipt(changes: dict[str, object]) -> None:
    """Claims of another form are refused, not guessed at."""
    with pytest.raises(ProviderError):
        verified(forged({**claims_of(RECEIPT), **changes}), KEYS)


@given(
    st.text(max_size=300)
    | st.lists(st.binary(max_size=60), max_size=4).map(lambda raw: ".".join(map(segment, raw)))
)
def test_any_text_is_refused_with_our_own_error(text: str) -> None:
    """It never raises anything else."""
    with pytest.raises(ProviderError):
        verified(text, KEYS)


def test_a_name_that_no_reader_would_take_is_left_out() -> None:
    """Cut, it could be another's; the subject stays."""
    receipt = replace(RECEIPT, who=who_of("https://idp.example.com", "s-1", "a" * 256))
    read = verified(KEY.sign(receipt), KEYS)
    assert read.who is not None
    assert (read.who.subject, read.who.user) == ("s-1", "")


def pem_of(
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, passphrase: bytes | None = None
) -> str:
    sealing = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a private key in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "is not a private key in PEM"),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), "is not one for the curve P-256"),
        (pem_of(ed25519.Ed25519PrivateKey.generate()), "is not one for the curve P-256"),
        (
            pem_of(ec.generate_private_key(ec.SECP256R1()), b"open"),
            "has a passphrase, which nobody can enter",
        ),
    ],
)
def test_another_key_is_refused_with_the_reason(text: str, why: str) -> None:
    """The reason never shows what is in the file."""
    with pytest.raises(ValueError, match=f"^{why}$"):
        ReceiptKey.parse(text)


@pytest.mark.parametrize(
    "private", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_a_public_key_of_another_curve_verifies_nothing(private: Any) -> None:
    """In PEM or in a set, it is told apart from a signature that is wrong."""
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match=r"^is not one for the curve P-256$"):
        keys_from_pem(pem)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        json.dumps({"keys": [rsa_key("id").jwk()]}),
    ],
)
def test_a_key_set_without_our_kind_of_key_is_refused(text: str) -> None:
    """A shared secret in it is none, and a provider's RSA key does not sign receipts."""
    with pytest.raises(ProviderError):
        keys_from_jwks(text)


@given(st.text(max_size=200))
def test_any_text_is_no_key(text: str) -> None:
    """Neither in PEM nor as a set, and with no other error."""
    with pytest.raises(ValueError, match=r"^(is|has) "):
        keys_from_pem(text)
    with pytest.raises(ProviderError):
        keys_from_jwks(text)


def test_the_private_key_is_in_no_repr() -> None:
    """Nor in what is published."""
    assert "PRIVATE" not in repr(KEY)
    assert KEY.pem not in json.dumps(KEY.jwks)
