"""Signatures recomputed by hand, so that writer and reader cannot agree on a common mistake."""

from __future__ import annotations

import base64
import hashlib
from copy import deepcopy

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from gateway.demo.okta.saml_app import signer
from gateway.demo.saml import messages
from gateway.demo.saml.signing import signed, verified
from gateway.demo.saml.xml import NAMESPACES, SamlError, only, parse, text_of, to_bytes

ENVELOPE = messages.Envelope("id1", "issuer", "http://destination.test/", 1_700_000_000, "_request")


def test_digest_and_signature_are_what_the_standard_says() -> None:
    """SHA-256 over the exclusive canonical form without the signature; RSA over SignedInfo's."""
    message = signed(messages.status_response("LogoutResponse", ENVELOPE, messages.SUCCESS), signer())
    signature = only(message, "ds:Signature")
    bare = deepcopy(message)
    bare.remove(only(bare, "ds:Signature"))
    digest = hashlib.sha256(_canonical(bare)).digest()
    info = only(signature, "ds:SignedInfo")
    public = x509.load_pem_x509_certificate(signer().certificate.encode()).public_key()
    value = base64.b64decode(text_of(only(signature, "ds:SignatureValue")))

    assert base64.b64decode(text_of(only(info, "ds:Reference/ds:DigestValue"))) == digest
    assert only(info, "ds:Reference").get("URI") == "#id1"
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(value, _canonical(parse(to_bytes(info))), padding.PKCS1v15(), hashes.SHA256())


def test_signature_stands_after_the_issuer() -> None:
    """The schema's order: Issuer, Signature, then the rest."""
    message = signed(messages.status_response("Response", ENVELOPE, messages.AUTHN_FAILED), signer())

    assert [etree.QName(child).localname for child in message] == ["Issuer", "Signature", "Status"]
    assert [code.get("Value") for code in message.findall(".//samlp:StatusCode", NAMESPACES)] == [
        messages.RESPONDER,
        messages.AUTHN_FAILED,
    ]


def test_what_is_verified_is_what_was_signed() -> None:
    """The result is rebuilt from the signed bytes; an unsigned element has nothing to verify."""
    message = messages.status_response("Response", ENVELOPE, messages.SUCCESS)

    covered = verified(signed(message, signer()), signer().certificate)

    assert _canonical(covered) == _canonical(message)
    with pytest.raises(SamlError):
        verified(message, signer().certificate)


def _canonical(element: etree._Element) -> bytes:
    canonical: bytes = etree.tostring(element, method="c14n", exclusive=True)
    return canonical
