"""The HTTP-Redirect binding (SAML bindings 3.4): deflated in the query, signed over the raw query string.

The signature covers the bytes of SAMLRequest, RelayState and SigAlg as they travelled, percent-encoding included;
a query taken apart and put together again has another signature.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from urllib.parse import quote, unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from gateway.demo.saml.signing import Signer
from gateway.demo.saml.xml import MOST_BYTES, SamlError, parse, to_bytes

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@dataclass(frozen=True, slots=True)
class Received:
    """A request read from a query; *raw* has the parameters still percent-encoded."""

    message: etree._Element
    relay_state: str
    raw: dict[str, str]

    @property
    def is_signed(self) -> bool:
        """Say whether there is a signature, good or bad."""
        return "Signature" in self.raw

    def is_signed_by(self, certificate: str) -> bool:
        """Say whether the signature is RSA-SHA256 and by the holder of *certificate* (PEM)."""
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        if unquote(self.raw.get("SigAlg", "")) != RSA_SHA256 or not isinstance(public, rsa.RSAPublicKey):
            return False
        names = [name for name in ("SAMLRequest", "RelayState", "SigAlg") if name in self.raw]
        covered = "&".join(f"{name}={self.raw[name]}" for name in names)
        try:
            signature = base64.b64decode(unquote(self.raw.get("Signature", "")), validate=True)
            public.verify(signature, covered.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error):
            return False
        return True


def to_query(message: etree._Element, relay_state: str, signer: Signer | None) -> str:
    """Return the query string that carries *message*, signed when there is a *signer*."""
    squeezed = zlib.compressobj(wbits=-15)
    deflated = squeezed.compress(to_bytes(message)) + squeezed.flush()
    query = f"SAMLRequest={_quoted(base64.b64encode(deflated))}&RelayState={quote(relay_state, safe='')}"
    if signer is None:
        return query
    query += f"&SigAlg={quote(RSA_SHA256, safe='')}"
    signature = signer.key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{query}&Signature={_quoted(base64.b64encode(signature))}"


def from_query(raw_query: str) -> Received:
    """Return the request in *raw_query*, exactly as it was sent; SamlError when there is none or it is doubled."""
    pairs = [part.partition("=")[::2] for part in raw_query.split("&")]
    raw = dict(pairs)
    if len(raw) != len(pairs):
        raise SamlError("a parameter is there twice")
    try:
        deflated = base64.b64decode(unquote(raw.get("SAMLRequest", "")), validate=True)
        inflater = zlib.decompressobj(-15)
        document = inflater.decompress(deflated, MOST_BYTES + 1)
    except (binascii.Error, zlib.error) as error:
        raise SamlError("SAMLRequest cannot be read") from error
    return Received(parse(document), unquote(raw.get("RelayState", "")), raw)


def _quoted(encoded: bytes) -> str:
    return quote(encoded.decode(), safe="")
