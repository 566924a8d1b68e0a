"""Reading XML from strangers, and the names SAML uses."""

from __future__ import annotations

from lxml import etree

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
NAMESPACES = {"samlp": PROTOCOL, "saml": ASSERTION, "md": METADATA, "ds": SIGNATURE}
REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
MOST_BYTES = 100_000


class SamlError(Exception):
    """A message that cannot be read or does not hold; the text says why, without quoting it."""


def parse(document: bytes) -> etree._Element:
    """Return the root of *document*; refuses document types (so no entities), bad XML and more than 100,000 bytes."""
    if len(document) > MOST_BYTES:
        raise SamlError("the message is too long")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SamlError("the message is not XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SamlError("the message has a document type")
    return root


def only(element: etree._Element, path: str) -> etree._Element:
    """Return the one element at *path* below *element*; SamlError when there is none or more than one."""
    found = element.findall(path, NAMESPACES)
    if len(found) != 1:
        raise SamlError(f"the message has {len(found)} elements {path}")
    return found[0]


def text_of(element: etree._Element) -> str:
    """Return all text of *element*, around any child, so that a comment inside cannot cut a name short."""
    return "".join(element.xpath(".//text()")).strip()


def tag(namespace: str, name: str) -> str:
    """Return the qualified name lxml uses."""
    return f"{{{namespace}}}{name}"


def to_bytes(element: etree._Element) -> bytes:
    """Return *element* as a document of its own."""
    document: bytes = etree.tostring(element, with_tail=False)
    return document
