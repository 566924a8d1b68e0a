"""Which schemes authenticate a connection: all but those that are known not to."""

from __future__ import annotations

import pytest

from gateway.core.http.connection_auth import binds, says_so


@pytest.mark.parametrize(
    "value",
    [
        b"NTLM", b"ntlm", b"Negotiate YIIB", b"Negotiate oYG==", b"Basic realm=x, NTLM", b'Basic realm="a, b", Negotiate',
        b"Kerberos", b"Nego2", b"never-heard-of", b"NTLM, Basic", b"Basic,Negotiate",
    ],
)  # fmt: skip
def test_of_a_connection(value: bytes) -> None:
    assert binds(value)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"Basic YTpi", b"bearer x.y.z", b'Digest realm="NTLM", nonce = "a"', b"Bearer a=b, c=Negotiate",
        b"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;date, Signature=fe", b"Digest a   =b",
        b'DPoP algs="ES256 Negotiate"', b"Token t",
    ],
)  # fmt: skip
def test_of_a_request(value: bytes) -> None:
    assert not binds(value)


def test_what_else_says_so() -> None:
    assert says_so(b"persistent-auth", b"True")
    assert not says_so(b"persistent-auth", b"false")
    assert says_so(b"proxy-support", b"Session-Based-Authentication")
    assert not says_so(b"www-authenticate", b"Basic realm=x")
