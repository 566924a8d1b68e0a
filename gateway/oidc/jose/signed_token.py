"""A signed token (RFC 7515, RFC 7519): whose it is, what kind it is, and whether now is its time.

ID tokens, logout tokens and security events differ in their claims, not in this. PyJWT verifies the signature with the
algorithm named here; everything else is checked here, against ``now``. All refusals are `ProviderError`
``token_rejected`` whose detail begins with the member at fault; fresh keys can fix ``unknown_key``, and the member
`SIGNATURE`.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jwt import PyJWS, PyJWTError

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import ALGORITHMS, KeySet, VerificationKey
from gateway.oidc.wire import has_control, json_object, printable

LEEWAY = 60
"""Seconds that the sender's clock and ours may differ."""
MAX_TOKEN = 65_536
"""Characters; a Cognito ID token with 100 groups of 60 letters has 9,871."""
MAX_TEXT = 255
"""Characters of a subject (OpenID Connect Core §2), and of any other id in a token."""

SIGNATURE = "signature"
"""The member at fault where no known key of the token's id has signed it; fresh keys may have."""

_JWS = PyJWS(algorithms=list(ALGORITHMS))
# Strict base64url without padding (RFC 7515 §2): PyJWT alone admits a padded segment.
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_LATEST = 1 << 53  # seconds; the largest integer that every JSON reader keeps


@dataclass(frozen=True, slots=True)
class Kind:
    """What a token is called, and what its ``typ`` may be (RFC 8725 §3.11).

    :ivar name: for errors. :ivar types: in lower case, without ``application/``. :ivar typed: ``typ`` must be there.
    :ivar longest: characters of the whole token.
    """

    name: str
    types: Collection[str]
    typed: bool = False
    longest: int = MAX_TOKEN


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token whose signature is good; of its claims nothing is checked yet.

    :ivar algorithm: that it was signed with.
    """

    algorithm: str
    claims: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Header:
    algorithm: str
    kid: str | None


def read_signed(token: str, *, keys: KeySet, kind: Kind) -> SignedToken:
    """``token``, if one of ``keys`` has signed it.

    :raises ProviderError: ``token_rejected``, or ``unknown_key`` when no known key can have signed it.
    """
    header = _header_of(token, kind)
    candidates = keys.candidates(header.kid, header.algorithm)
    if not candidates:
        raise ProviderError("unknown_key", f"no key with id {printable(header.kid or '(none)', 80)!r}")
    payload = _verified_payload(token, header, candidates)
    return SignedToken(header.algorithm, json_object(payload, kind.name, code="token_rejected"))


def has_signed(keys: KeySet, token: str, kind: Kind) -> bool:
    """Whether one of ``keys`` has signed ``token``, which was read with the keys of another time.

    Without a ``kid`` any of them may have: then there was one key, and there may be more now.
    """
    try:
        header = _header_of(token, kind)
        named = header.kid is not None
        fitting = keys.candidates(header.kid, header.algorithm) if named else keys.fitting(header.algorithm)
        _verified_payload(token, header, fitting)
    except ProviderError:
        return False
    return True


def check_issuer(claims: Mapping[str, object], issuer: str) -> None:
    """``iss`` is ``issuer``, character for character.

    :raises ProviderError: it is not.
    """
    if claims.get("iss") != issuer:
        raise rejected("iss", f"issued by {printable(str(claims.get('iss')))}")


def check_audience(claims: Mapping[str, object], audience: str) -> list[str]:
    """All audiences of the token (RFC 7519 §4.1.3), ``audience`` among them.

    :raises ProviderError: it is not, or one of them is no text.
    """
    found = claims.get("aud")
    members = found if isinstance(found, list) else [found]
    audiences = [each for each in members if isinstance(each, str)]
    if len(audiences) < len(members) or audience not in audiences:
        raise rejected("aud", "the token is for another client")
    return audiences


def check_expiry(claims: Mapping[str, object], now: int) -> int:
    """``exp``, which is ahead.

    :raises ProviderError: it is missing, malformed or over.
    """
    expires = time_in(claims, "exp")
    if now >= expires + LEEWAY:
        raise rejected("exp", f"expired {now - expires} s ago")
    return expires


def check_issued(claims: Mapping[str, object], now: int, *, within: int | None = None) -> int:
    """``iat``, which is not ahead; nor is ``nbf``, where it is there.

    :param within: seconds that may have passed since; None is no limit.
    :raises ProviderError: it is missing, malformed or ahead, or too long ago.
    """
    issued_at = time_in(claims, "iat")
    if issued_at > now + LEEWAY:
        raise rejected("iat", f"issued {issued_at - now} s in the future; compare the clocks")
    if within is not None and now > issued_at + within + LEEWAY:
        raise rejected("iat", f"issued {now - issued_at} s ago, too long for this kind of token")
    check_not_ahead(claims, "nbf", now)
    return issued_at


def check_not_ahead(claims: Mapping[str, object], name: str, now: int) -> None:
    """The time ``name``, where it is there, is not ahead.

    :raises ProviderError: it is, or it is malformed.
    """
    if time_or(claims, name, now) > now + LEEWAY:
        raise rejected(name, "in the future; compare the clocks")


def text_in(claims: Mapping[str, object], name: str) -> str:
    """The claim ``name``: 1 to 255 characters without control characters.

    :raises ProviderError: it is missing or malformed.
    """
    found = claims.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_TEXT or has_control(found):
        raise rejected(name, "missing or malformed")
    return found


def time_in(claims: Mapping[str, object], name: str) -> int:
    """A NumericDate (RFC 7519 §2) in seconds; a fraction is cut off.

    :raises ProviderError: it is missing or malformed.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise rejected(name, "missing or not a number")
    if not 0 <= value < _LATEST:
        raise rejected(name, "out of range")
    return int(value)


def time_or(claims: Mapping[str, object], name: str, default: int) -> int:
    """The same, or ``default`` where the claim is missing or null.

    :raises ProviderError: it is malformed.
    """
    return default if claims.get(name) is None else time_in(claims, name)


def rejected(member: str, why: str) -> ProviderError:
    """The refusal of a token for what is wrong with ``member``."""
    return ProviderError("token_rejected", f"{member}: {why}")


def _header_of(token: str, kind: Kind) -> _Header:
    if len(token) > kind.longest:
        raise rejected("form", f"longer than {kind.longest} characters")
    segments = token.split(".")
    if len(segments) != 3 or not all(map(_is_base64url, segments)):
        raise rejected("form", "not three segments of base64url without padding")
    raw = base64.urlsafe_b64decode(segments[0] + "=" * (-len(segments[0]) % 4))
    header = json_object(raw, f"{kind.name}'s header", code="token_rejected")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise rejected("alg", f"{printable(str(algorithm), 40)!r} is not accepted")
    if "crit" in header or "b64" in header:
        raise rejected("crit", "the token asks for an extension that we do not know")
    if kid is not None and not isinstance(kid, str):
        raise rejected("kid", "not a string")
    _check_type(header, kind)
    return _Header(algorithm, kid)


def _check_type(header: Mapping[str, object], kind: Kind) -> None:
    if "typ" not in header:
        if kind.typed:
            raise rejected("typ", "missing")
        return
    found = header["typ"]
    # RFC 7515 §4.1.9: in any case, and with or without its first half.
    if not isinstance(found, str) or found.lower().removeprefix("application/") not in kind.types:
        raise rejected("typ", "the token is of another kind")


def _is_base64url(segment: str) -> bool:
    return _SEGMENT.fullmatch(segment) is not None and len(segment) % 4 != 1


def _verified_payload(token: str, header: _Header, candidates: tuple[VerificationKey, ...]) -> bytes:
    for key in candidates:
        try:
            decoded = _JWS.decode_complete(token, key.public, algorithms=[header.algorithm])
        except (PyJWTError, ValueError, TypeError):
            continue
        payload = decoded["payload"]
        assert isinstance(payload, bytes)
        return payload
    raise rejected(SIGNATURE, "not made by a key of the one it claims to be from")
