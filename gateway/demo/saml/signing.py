"""Enveloped XML signatures. What is verified is what is returned, and only that may be used."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from gateway.demo.saml.xml import ASSERTION, NAMESPACES, SIGNATURE, SamlError, parse, tag, to_bytes

STRICT = SignatureConfiguration(
    location="./",
    signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its certificate (PEM)."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: str


def signed(element: etree._Element, signer: Signer) -> etree._Element:
    """Return *element* with a signature over itself, placed after its Issuer as the schema wants it."""
    element = parse(to_bytes(element))
    issuer = element.find(tag(ASSERTION, "Issuer"))
    placeholder = etree.Element(tag(SIGNATURE, "Signature"), {"Id": "placeholder"}, {"ds": SIGNATURE})
    issuer.addnext(placeholder)
    writer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return writer.sign(
        element, key=signer.key, cert=signer.certificate, reference_uri=element.get("ID"), id_attribute="ID"
    )


def verified(element: etree._Element, certificate: str) -> etree._Element:
    """Return what the signature of *element* covers, which must be *element* itself; else SamlError.

    The element is taken out of its document first, so that nothing around it can be what was really signed
    (signature wrapping), and the result is built from the signed bytes alone.
    """
    document = to_bytes(element)
    try:
        result = XMLVerifier().verify(
            parse(document),
            x509_cert=x509.load_pem_x509_certificate(certificate.encode()),
            expect_config=STRICT,
            id_attribute="ID",
        )
    except (SignXMLException, etree.LxmlError, ValueError, KeyError) as error:
        raise SamlError("the signature does not hold") from error
    covered = None if isinstance(result, list) else result.signed_xml
    if covered is None or (covered.tag, covered.get("ID")) != (element.tag, element.get("ID")):
        raise SamlError("the signature is about something else")
    return covered


def has_signature(element: etree._Element) -> bool:
    """Say whether *element* itself carries a signature."""
    return element.find("ds:Signature", NAMESPACES) is not None
