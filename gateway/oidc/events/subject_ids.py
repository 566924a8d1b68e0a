"""Whom a subject identifier (RFC 9493) names, as revocation keys (rule R19).

An inbound issuer reaches its own namespace only: subjects that it issued itself, the provider behind Cognito that it is
said to be, and, where it is our own provider, its sessions. What it says of anybody else's subjects is refused, not
passed over: an answer that claims somebody was signed out must be true.

An e-mail address is the one name that is nobody's own. It reaches those sessions only that carry it, which they do when
our own provider has verified it or is trusted for it (``oidc/signin/identity.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import ProviderError
from gateway.core.session.revocation_keys import email_key, idp_key, isid_key, subject_key
from gateway.oidc.wire import has_control, printable

MAX_NAME: Final = 2_048
"""Characters of one name; RFC 5321 §4.5.3.1 and OpenID Connect Core §2 allow far less."""
MAX_ALIASES: Final = 16
_COMPLEX: Final = frozenset({"user", "session", "device", "tenant", "org_unit", "group", "application"})
_UNMAPPED: Final = frozenset({"account", "phone_number", "did", "uri", "jwt_id", "saml_assertion_id"})
"""Formats that RFC 9493 and SSF 1.0 know and no session here has a name in."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """What the names of one inbound issuer mean here.

    :ivar issuer: of the subjects that it may speak of.
    :ivar provider: name behind Cognito of the provider that it is; None where it is none.
    :ivar sessions: it is the provider that signs users in here, so that its session ids are those of our sign-ins.
    """

    issuer: str
    provider: str | None = None
    sessions: bool = False

    def user(self, user_id: str) -> tuple[str, ...]:
        """The keys of the user whom this issuer calls ``user_id``."""
        own = subject_key(self.issuer, user_id)
        return (own,) if self.provider is None else (own, idp_key(self.provider, user_id))


def subject_keys(subject: object, namespace: Namespace) -> tuple[str, ...]:
    """The revocation keys of ``subject``, each once, never none.

    A complex subject (SSF 1.0 §3.2) names the sessions that all of its members are about. One with a ``session`` that
    is ours is that session; otherwise it is its ``user``. Which device, tenant or group a session belongs to is not
    known here, so these members narrow nothing down: more sessions of that user end than were meant, never fewer.

    :raises ProviderError: ``malformed_subject``; ``unknown_format``; ``unmapped_subject``, when it is well-formed and
        in no way a name of sessions here.
    """
    members = _object(subject)
    if members.get("format") == "complex" or ("format" not in members and _COMPLEX & set(members)):
        return _complex(members, namespace)
    return _user(members, namespace)


def _complex(members: Mapping[str, object], namespace: Namespace) -> tuple[str, ...]:
    # Before SSF 1.0 it had no format, which is how Okta still sends it.
    if not _COMPLEX & set(members):
        raise _malformed("a complex subject without members")
    session, user = members.get("session"), members.get("user")
    if session is not None and namespace.sessions:
        return _session(_object(session), namespace)
    if user is None:
        raise _unmapped("a complex subject without a user, or a session of our own provider")
    return _user(_object(user), namespace)


def _session(members: Mapping[str, object], namespace: Namespace) -> tuple[str, ...]:
    kind = _format(members)
    if kind == "opaque":
        return (isid_key(namespace.issuer, _name(members, "id")),)
    if kind == "iss_sub":
        return (isid_key(namespace.issuer, _own(members, namespace)),)
    raise _unmapped(f"a session in the format {kind}")


def _user(members: Mapping[str, object], namespace: Namespace) -> tuple[str, ...]:
    kind = _format(members)
    if kind == "aliases":
        return _aliases(members, namespace)
    return _simple(kind, members, namespace)


def _simple(kind: str, members: Mapping[str, object], namespace: Namespace) -> tuple[str, ...]:
    if kind == "email":
        return (email_key(_address(members)),)
    if kind == "iss_sub":
        return namespace.user(_own(members, namespace))
    if kind == "opaque":
        return namespace.user(_name(members, "id"))
    if kind in _UNMAPPED:
        raise _unmapped(f"the format {kind}")
    raise ProviderError("unknown_format", f"subject: {printable(kind, 60)!r} is no format that we know")


def _aliases(members: Mapping[str, object], namespace: Namespace) -> tuple[str, ...]:
    """All names of one person (RFC 9493 §3.2.8); those that mean nothing here stand beside one that does."""
    listed = members.get("identifiers")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_ALIASES:
        raise _malformed(f"identifiers is not a list of 1 to {MAX_ALIASES} subjects")
    keys: list[str] = []
    for each in map(_object, listed):
        kind = _format(each)
        if kind in {"aliases", "complex"}:
            raise _malformed(f"{kind} among aliases")
        try:
            keys += _simple(kind, each, namespace)
        except ProviderError as error:
            if error.code == "malformed_subject":
                raise
    if not keys:
        raise _unmapped("any of its aliases")
    return tuple(dict.fromkeys(keys))


def _own(members: Mapping[str, object], namespace: Namespace) -> str:
    """The subject of an ``iss_sub`` that the issuer may speak of."""
    issuer, subject = _name(members, "iss"), _name(members, "sub")
    if issuer != namespace.issuer:
        raise _unmapped(f"subjects of {printable(issuer)}, which is not {printable(namespace.issuer)},")
    return subject


def _address(members: Mapping[str, object]) -> str:
    address = _name(members, "email")
    local, _, domain = address.partition("@")
    if not local or not domain or "@" in domain or any(char.isspace() for char in address):
        raise _malformed("email is no address")
    return address


def _format(members: Mapping[str, object]) -> str:
    kind = members.get("format")
    if not isinstance(kind, str):
        raise _malformed("without a format")
    return kind


def _name(members: Mapping[str, object], member: str) -> str:
    name = members.get(member)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or has_control(name):
        raise _malformed(f"{member} is not a text of 1 to {MAX_NAME} characters")
    return name


def _object(subject: object) -> Mapping[str, object]:
    if not isinstance(subject, dict):
        raise _malformed("missing, or not an object")
    return subject


def _malformed(why: str) -> ProviderError:
    return ProviderError("malformed_subject", f"subject: {why}")


def _unmapped(what: str) -> ProviderError:
    return ProviderError(
        "unmapped_subject",
        f"subject: {what} means no session here",
        fix="send an e-mail address, or link the issuer's users in provider.linked_subjects or linked_providers",
    )
