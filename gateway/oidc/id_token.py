"""The ID token: is it the provider's, for us, of this attempt, and of now (OpenID Connect Core §3.1.3.7).

PyJWT verifies the signature with the algorithm named here; everything else is checked here, against ``now``.
All refusals are `ProviderError` ``token_rejected`` whose detail begins with the member at fault;
``unknown_key`` is the one refusal that fresh keys can mend.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

from jwt import PyJWS, PyJWTError

from gateway.core.errors import ProviderError
from gateway.oidc.jwks import ALGORITHMS, Key, KeySet
from gateway.oidc.wire import has_control, json_object, printable

LEEWAY = 60  # seconds that the provider's clock and ours may differ
MAX_TOKEN = 65_536  # characters; a Cognito token with 100 groups of 60 letters has 9,871
MAX_SUBJECT = 255  # characters (OpenID Connect Core §2)
# typ says what kind of token this is (RFC 8725 §3.11): an access token is at+jwt, a logout token logout+jwt.
ID_TOKEN_TYPES = frozenset({"jwt", "application/jwt"})

_VALIDATED = object()
_JWS = PyJWS(algorithms=list(ALGORITHMS))
# Strict base64url without padding (RFC 7515 §2): PyJWT alone admits a padded segment.
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_LATEST = 1 << 53  # seconds; the largest integer that every JSON reader keeps


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must agree with.

    :ivar nonce: the one sent; None when none was, as at refresh: Cognito may then put in one of its own.
    :ivar token_kind: claim and value that mark an ID token at this kind of provider.
    :ivar access_token: the access token that came with it, for ``at_hash``.
    """

    issuer: str
    client_id: str
    nonce: str | None = field(repr=False)
    token_kind: tuple[str, str] | None = None
    access_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class IdTokenClaims:
    """The claims of a verified ID token: made by `verify_id_token` alone.

    :ivar auth_time: when the user proved who they are; ``issued_at`` when the provider does not say.
    """

    issuer: str
    subject: str
    issued_at: int
    expires: int
    auth_time: int
    claims: Mapping[str, object] = field(repr=False)
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _VALIDATED:
            raise TypeError("IdTokenClaims come from verify_id_token")


@dataclass(frozen=True, slots=True)
class _Header:
    algorithm: str
    kid: str | None


def verify_id_token(token: str, *, keys: KeySet, expected: Expected, now: int) -> IdTokenClaims:
    """The claims of ``token``, if all of it holds at ``now`` (UTC seconds).

    :raises ProviderError: ``token_rejected``, or ``unknown_key`` when no known key can have signed it.
    """
    header = _header_of(token)
    candidates = keys.candidates(header.kid, header.algorithm)
    if not candidates:
        raise ProviderError("unknown_key", f"no key with id {printable(header.kid or '(none)', 80)!r}")
    claims = json_object(_verified_payload(token, header, candidates), "the ID token", code="token_rejected")
    _check_parties(claims, expected)
    _check_binding(claims, expected, header.algorithm)
    issued_at, expires = _check_times(claims, now)
    return IdTokenClaims(
        issuer=expected.issuer,
        subject=_subject(claims),
        issued_at=issued_at,
        expires=expires,
        auth_time=_optional_time(claims, "auth_time", issued_at),
        claims=claims,
        proof=_VALIDATED,
    )


def at_hash(access_token: str, algorithm: str) -> str:
    """The ``at_hash`` of an access token: half of the algorithm's digest (OpenID Connect Core §3.1.3.6)."""
    digest = {"256": hashlib.sha256, "384": hashlib.sha384}.get(algorithm[-3:], hashlib.sha512)
    whole = digest(access_token.encode("utf-8")).digest()
    return base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode("ascii")


def _header_of(token: str) -> _Header:
    segments = token.split(".")
    if len(token) > MAX_TOKEN or len(segments) != 3 or not all(map(_is_base64url, segments)):
        raise _rejected("form", "not three segments of base64url without padding")
    raw = base64.urlsafe_b64decode(segments[0] + "=" * (-len(segments[0]) % 4))
    header = json_object(raw, "the ID token's header", code="token_rejected")
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _rejected("alg", f"{printable(str(algorithm), 40)!r} is not accepted")
    if "crit" in header or "b64" in header:
        raise _rejected("crit", "the token asks for an extension that we do not know")
    if kid is not None and not isinstance(kid, str):
        raise _rejected("kid", "not a string")
    if "typ" in header and not (isinstance(kind, str) and kind.lower() in ID_TOKEN_TYPES):
        raise _rejected("typ", "the token is of another kind")
    return _Header(algorithm, kid)


def _is_base64url(segment: str) -> bool:
    return _SEGMENT.fullmatch(segment) is not None and len(segment) % 4 != 1


def _verified_payload(token: str, header: _Header, candidates: tuple[Key, ...]) -> bytes:
    for key in candidates:
        try:
            decoded = _JWS.decode_complete(token, key.public, algorithms=[header.algorithm])
        except (PyJWTError, ValueError, TypeError):
            continue
        payload = decoded["payload"]
        assert isinstance(payload, bytes)
        return payload
    raise _rejected("signature", "not made by the provider's key")


def _check_parties(claims: Mapping[str, object], expected: Expected) -> None:
    """Whose token it is, and for whom (steps 2 to 5)."""
    if claims.get("iss") != expected.issuer:
        raise _rejected("iss", f"issued by {printable(str(claims.get('iss')))}")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(each, str) for each in audiences) or expected.client_id not in audiences:
        raise _rejected("aud", "the token is for another client")
    authorized = claims.get("azp")
    if authorized is None and len(audiences) > 1:
        raise _rejected("azp", "missing, though the token has several audiences")
    if authorized is not None and authorized != expected.client_id:
        raise _rejected("azp", "the token was given to another client")
    if expected.token_kind is not None and claims.get(expected.token_kind[0]) != expected.token_kind[1]:
        raise _rejected(expected.token_kind[0], "the token is of another kind")


def _check_binding(claims: Mapping[str, object], expected: Expected, algorithm: str) -> None:
    """That it belongs to this attempt and to the access token beside it (step 11, §3.1.3.8)."""
    if expected.nonce is not None and not _same(claims.get("nonce"), expected.nonce):
        raise _rejected("nonce", "the token belongs to another sign-in attempt")
    if expected.access_token is None or "at_hash" not in claims:
        return
    if not _same(claims["at_hash"], at_hash(expected.access_token, algorithm)):
        raise _rejected("at_hash", "the access token beside it is not its own")


def _check_times(claims: Mapping[str, object], now: int) -> tuple[int, int]:
    expires, issued_at = _time(claims, "exp"), _time(claims, "iat")
    if now >= expires + LEEWAY:
        raise _rejected("exp", f"expired {now - expires} s ago")
    if issued_at > now + LEEWAY:
        raise _rejected("iat", f"issued {issued_at - now} s in the future; compare the clocks")
    for name in ("nbf", "auth_time"):
        if _optional_time(claims, name, now) > now + LEEWAY:
            raise _rejected(name, "in the future; compare the clocks")
    return issued_at, expires


def _subject(claims: Mapping[str, object]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or has_control(subject):
        raise _rejected("sub", "missing or malformed")
    return subject


def _time(claims: Mapping[str, object], name: str) -> int:
    """A NumericDate (RFC 7519 §2); a fraction is cut off."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _rejected(name, "missing or not a number")
    if not 0 <= value < _LATEST:
        raise _rejected(name, "out of range")
    return int(value)


def _optional_time(claims: Mapping[str, object], name: str, default: int) -> int:
    return default if claims.get(name) is None else _time(claims, name)


def _same(found: object, wanted: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(
        found.encode("utf-8", "surrogatepass"), wanted.encode("utf-8")
    )


def _rejected(member: str, why: str) -> ProviderError:
    return ProviderError("token_rejected", f"{member}: {why}")
