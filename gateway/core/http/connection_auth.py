"""Authentication that belongs to a connection and not to a request: NTLM and Negotiate (RFC 4559 §6) and their like.

Whoever comes next on such a connection is taken for the one who was authenticated on it. Only schemes that are known to
prove themselves in every request are left out: of one that nobody knows the worse is assumed.
"""

from __future__ import annotations

import re

from gateway.core.http.caching import directives

_EVERY_REQUEST = frozenset(
    {
        b"basic", b"bearer", b"concealed", b"digest", b"dpop", b"gnap", b"hoba", b"mutual", b"oauth", b"privatetoken",
        b"scram-sha-1", b"scram-sha-256", b"vapid",  # IANA's registry, without Negotiate
        b"apikey", b"api-key", b"aws4-hmac-sha256", b"hawk", b"hmac-sha256", b"key", b"signature", b"token", b"wsse",
    }
)  # fmt: skip
_SCHEME = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++)(?:[ \t]++(?!=)|\Z)")


def binds(value: bytes) -> bool:
    """Whether an Authorization or WWW-Authenticate value has a scheme that authenticates its connection."""
    found = map(_SCHEME.match, directives(value))
    return any(each[1].lower() not in _EVERY_REQUEST for each in found if each is not None)


def says_so(name: bytes, value: bytes) -> bool:
    """Whether a response's header says that its connection is authenticated, or is about to be.

    :param name: lower-case; one of ``SAYING``.
    """
    return binds(value) if name == b"www-authenticate" else SAYING[name] in value.lower()


SAYING = {
    b"www-authenticate": b"",
    b"persistent-auth": b"true",  # IIS
    b"proxy-support": b"session-based-authentication",  # RFC 4559 §6
}
