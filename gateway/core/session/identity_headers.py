"""Identity headers: who the gateway tells upstreams and forward-auth callers the user is (rule R31).

Values are percent-encoded outside printable ASCII, and so are ``%`` itself and edge spaces, so that every value has
exactly one reading; commas are encoded inside list members only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.errors import GatewayError
from gateway.core.session.session import Principal

HeaderPairs = tuple[tuple[bytes, bytes], ...]

USER = b"X-Auth-Request-User"
EMAIL = b"X-Auth-Request-Email"
GROUPS = b"X-Auth-Request-Groups"
PREFERRED_USERNAME = b"X-Auth-Request-Preferred-Username"
AUTHORIZATION = b"Authorization"


@dataclass(frozen=True, slots=True)
class IdentityOptions:
    """What is told besides user, e-mail, groups and preferred user name.

    :ivar claims: (header name, claim name) pairs. :ivar authorization: send ``Authorization: Bearer`` as well.
    :ivar reserved: further headers that no client may send. :ivar underscores: it may send those with an underscore.
    """

    claims: tuple[tuple[str, str], ...] = ()
    authorization: bool = False
    reserved: tuple[str, ...] = ()
    underscores: bool = True

    @property
    def own_names(self) -> tuple[bytes, ...]:
        """Lower-case names of the headers that a client may never send, besides the usual ones."""
        headers = (*(header for header, _ in self.claims), *self.reserved)
        names = [header.lower().encode("ascii") for header in headers]
        return (*names, *((b"authorization",) if self.authorization else ()))


def identity_headers(
    principal: Principal, options: IdentityOptions, *, bearer: str | None = None, complete: bool = False
) -> HeaderPairs:
    """The identity headers of one principal; the same for all requests of a session.

    :param bearer: token for ``Authorization``, used when the options ask for it.
    :param complete: also give the unknown ones, with empty values: forward-auth answers carry all of them, so that a
        caller that copies headers overwrites what the client sent. To upstreams an absent claim means no header.
    :raises GatewayError: ``claim_control_byte`` when a value has a control character; such a login is refused.
    """
    pairs = [
        (USER, _text(principal.user)),
        (EMAIL, _text(principal.email)),
        (GROUPS, _members(principal.groups)),
        (PREFERRED_USERNAME, _text(principal.preferred_username)),
    ]
    pairs += [(header.encode("ascii"), _claim(principal.claims.get(name))) for header, name in options.claims]
    if options.authorization:
        pairs.append((AUTHORIZATION, b"Bearer " + _text(bearer) if bearer else b""))
    return tuple(pair for pair in pairs if complete or pair[1])


def _claim(value: object) -> bytes:
    if isinstance(value, list | tuple):
        return _members([_plain(member) for member in value])
    return _text(None if value is None else _plain(value))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _members(values: Sequence[str]) -> bytes:
    return b",".join(_text(value).replace(b",", b"%2C") for value in values)


def _text(value: str | None) -> bytes:
    if not value:
        return b""
    if not value.isprintable() and any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in value):
        raise GatewayError(
            "claim_control_byte",
            "A claim holds a control character, which no header can carry.",
            fix="Correct the attribute at the identity provider.",
        )
    inner = "".join(
        char if " " <= char <= "~" and char != "%" else "".join(f"%{byte:02X}" for byte in _utf8(char))
        for char in value
    )
    body = inner.strip(" ")
    if len(body) == len(inner):
        return inner.encode("ascii")
    lead = len(inner) - len(inner.lstrip(" "))
    after = len(inner) - len(body) - lead
    return ("%20" * lead + body + "%20" * after).encode("ascii")


def _utf8(char: str) -> bytes:
    return char.encode("utf-8", "surrogatepass")
