"""Proof Key for Code Exchange, S256 only (RFC 7636): who redeems a code is who asked for it."""

from __future__ import annotations

import base64
import hashlib
import re

METHOD = "S256"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def code_challenge(verifier: str) -> str:
    """The S256 challenge of ``verifier`` (RFC 7636 §4.2).

    :param verifier: 43 to 128 unreserved characters, freshly drawn for one attempt (§4.1).
    :raises ValueError: it has another form; that is a programming error.
    """
    if not _VERIFIER.fullmatch(verifier):
        raise ValueError("a code verifier is 43 to 128 unreserved characters")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
