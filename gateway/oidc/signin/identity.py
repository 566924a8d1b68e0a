"""From verified claims to the principal, and to every name by which somebody may end its sessions (rules R19,
R20).

A claim that cannot be carried truthfully (a control character, another type than it should have) refuses the
login (rule R31): cutting or cleaning it would make one user look like another. What nobody asks for may be anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.core.errors import ProviderError
from gateway.core.session.revocation_keys import email_key, idp_key, isid_key, subject_key
from gateway.core.session.session import Principal
from gateway.oidc.signin.groups import ONLY_TEXTS, names_in
from gateway.oidc.signin.id_token import IdTokenClaims
from gateway.oidc.wire import has_control

EMAIL = "email"
SESSION_ID_CLAIMS = ("sid", "origin_jti")  # OIDC's, and Cognito's nearest (rule R20)
MAX_DEPTH = 8  # of lists and objects within a kept claim


@dataclass(frozen=True, slots=True)
class ClaimOptions:
    """Which claims mean what.

    :ivar user: claim that upstreams see as the user.
    :ivar groups: claim with the group names. :ivar shape: of that claim, as `names_in` takes it.
    :ivar federated: the provider says in ``identities`` whom it asked; elsewhere that claim may be anything.
    :ivar usernames: claims tried, in order, for the preferred user name.
    :ivar keep: further claims that headers, policies or the SPA need; no other reaches the session.
    :ivar trusted_email_from: issuers and names of federated providers whose e-mail addresses need no
        ``email_verified``.
    :ivar linked: (issuer, claim) pairs: the claim holds the user's subject at that other issuer, as a mapped
        Okta id does at Cognito.
    """

    user: str = "sub"
    groups: str = "groups"
    shape: str = ""
    federated: bool = True
    usernames: tuple[str, ...] = ("preferred_username",)
    keep: tuple[str, ...] = ()
    trusted_email_from: frozenset[str] = frozenset()
    linked: tuple[tuple[str, str], ...] = ()


def principal_from(verified: IdTokenClaims, options: ClaimOptions) -> Principal:
    """Who has signed in.

    :raises ProviderError: ``unusable_claim``: the user claim is missing, or a claim is malformed.
    """
    claims = _with_believed_email(verified, options)
    user = _text(claims, options.user)
    if user is None:
        raise ProviderError(
            "unusable_claim",
            f"{options.user}: the ID token has none, or none that is verified",
            fix="ask for it in provider.scopes, or choose another claim in headers.user",
        )
    return Principal(
        issuer=verified.issuer,
        subject=verified.subject,
        user=user,
        email=_text(claims, EMAIL),
        groups=_groups(claims, options),
        preferred_username=next(
            filter(None, (_text_or_none(claims, name) for name in options.usernames)), None
        ),
        claims=MappingProxyType({name: _kept(claims, name) for name in options.keep if name in claims}),
        acr=_acr(claims.get("acr")),
        auth_time=verified.auth_time,
    )


def aliases_from(verified: IdTokenClaims, options: ClaimOptions) -> tuple[str, ...]:
    """The revocation keys of this sign-in, each once: subject, e-mail, federated identities, the provider's
    session.

    :raises ProviderError: ``unusable_claim``: a claim that names the user is malformed.
    """
    claims = _with_believed_email(verified, options)
    keys = [subject_key(verified.issuer, verified.subject)]
    email = _text(claims, EMAIL)
    if email is not None:
        keys.append(email_key(email))
    keys += [idp_key(provider, user_id) for provider, user_id in _identities(claims, options)]
    for name in SESSION_ID_CLAIMS:
        session_id = claims.get(name)
        if (
            isinstance(session_id, str) and session_id and not has_control(session_id)
        ):  # as a logout token can name it
            keys.append(isid_key(verified.issuer, session_id))
    for issuer, name in options.linked:
        subject = _text(claims, name)
        if subject is not None:
            keys.append(subject_key(issuer, subject))
    return tuple(dict.fromkeys(keys))


def _with_believed_email(verified: IdTokenClaims, options: ClaimOptions) -> Mapping[str, object]:
    """The claims, with the address in lower case, or without it when nobody vouches for it (rule R19)."""
    claims = dict(verified.claims)
    email = _text_or_none(claims, EMAIL)
    claims.pop(EMAIL, None)
    if email is not None and _is_address(email) and _is_vouched_for(verified, options):
        claims[EMAIL] = email.lower()
    return claims


def _is_address(email: str) -> bool:
    """One ``@`` with something on both sides and no space (CVE-2026-40574: ``a@evil@corp.com``)."""
    local, _, domain = email.partition("@")
    return bool(local and domain) and "@" not in domain and not any(char.isspace() for char in email)


def _is_vouched_for(verified: IdTokenClaims, options: ClaimOptions) -> bool:
    """Verified by the provider (a bool, or Cognito's string), or from providers that are all trusted."""
    email_verified = verified.claims.get("email_verified")
    if email_verified is True or email_verified == "true" or verified.issuer in options.trusted_email_from:
        return True
    providers = {provider for provider, _ in _identities(verified.claims, options)}
    return bool(providers) and providers <= options.trusted_email_from


def _identities(claims: Mapping[str, object], options: ClaimOptions) -> list[tuple[str, str]]:
    """(provider, user id) of Cognito's ``identities`` claim."""
    identities = claims.get("identities") if options.federated else None
    if identities is None:
        return []
    if not isinstance(identities, list):
        raise _unusable("identities", "not a list")
    pairs = []
    for identity in identities:
        if not isinstance(identity, dict):
            raise _unusable("identities", "holds something that is no identity")
        provider, user_id = _text(identity, "providerName"), _text(identity, "userId")
        if provider is None or user_id is None:
            raise _unusable("identities", "holds an identity without provider or user")
        pairs.append((provider, user_id))
    return pairs


def _groups(claims: Mapping[str, object], options: ClaimOptions) -> tuple[str, ...]:
    is_text = options.groups.startswith(ONLY_TEXTS)
    names = names_in(claims.get(options.groups), options.shape, is_text=is_text)
    if names is None:
        raise ProviderError(
            "unusable_claim",
            f"{options.groups}: not a list of names in the shape {options.shape or 'that is guessed'}",
            fix="say which shape it has in headers.groups, or correct the attribute or its mapping at the provider",
        )
    return names


def _acr(value: object) -> str | None:
    """What a policy may ask about and nothing else has: whatever is no plain text is its JSON, which equals none."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) and not has_control(value) else json.dumps(value)


def _text_or_none(claims: Mapping[str, object], name: str) -> str | None:
    """A text; None where the claim is something else."""
    return _text(claims, name) if isinstance(claims.get(name), str) else None


def _text(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _unusable(name, "not a string")
    if has_control(value):
        raise _unusable(name, "holds control characters")
    return value


def _kept(claims: Mapping[str, object], name: str) -> object:
    if not _is_clean(claims[name]):
        raise _unusable(name, "holds control characters, or is nested too deeply")
    return claims[name]


def _is_clean(value: object, depth: int = 0) -> bool:
    if isinstance(value, str):
        return not has_control(value)
    if not isinstance(value, list | dict):
        return True
    members = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    return depth < MAX_DEPTH and all(_is_clean(member, depth + 1) for member in members)


def _unusable(name: str, why: str) -> ProviderError:
    return ProviderError(
        "unusable_claim", f"{name}: {why}", fix="correct the attribute or its mapping at the provider"
    )
