"""The authorization request, and the answer that the browser carries back (RFC 6749 §4.1, OpenID Connect Core
§3.1.2).

`read_response` reads the raw query of the callback; `AuthorizationResponse.verified` compares it with the
attempt and is the only way to an `AuthorizationCode`, and a code is redeemed only as such.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from urllib.parse import unquote_to_bytes

from gateway.core.errors import DownstreamError, ProviderError
from gateway.oidc.signin.pkce import METHOD
from gateway.oidc.urls import with_query
from gateway.oidc.wire import has_control, printable

MAX_QUERY = 8192  # bytes; codes of the large providers reach some 1,800
MAX_PARAMETERS = 50
PROTOCOL = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})

_VALIDATED = object()
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CODE = re.compile(r"[\x20-\x7e]{1,4096}")  # RFC 6749 appendix A.11: VSCHAR


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code that belongs to an attempt of ours: made by `AuthorizationResponse.verified` alone."""

    value: str = field(repr=False)
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _VALIDATED:
            raise TypeError("an AuthorizationCode comes from AuthorizationResponse.verified")


@dataclass(frozen=True, slots=True)
class AuthorizationRefusal:
    """The provider said no. Both texts are foreign: bounded and printable, to be shown only escaped.

    :ivar error: code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6; ``unknown`` when it has no such
        form.
    """

    error: str
    description: str


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """What the callback's query says, not yet believed.

    :ivar state: names the attempt. Cognito leaves it out of some refusals, which then belong to no attempt.
    """

    state: str | None = field(repr=False)
    code: str | None = field(repr=False)
    iss: str | None
    refusal: AuthorizationRefusal | None

    def verified(
        self, *, state: str, issuer: str, iss_required: bool = False
    ) -> AuthorizationCode | AuthorizationRefusal:
        """The code, or the provider's refusal, of the attempt that sent ``state``.

        :param iss_required: the provider's metadata promises ``iss``; where it is present it is compared
            anyway.
        :raises DownstreamError: ``state_mismatch``: another attempt's answer, or somebody else's.
        :raises ProviderError: ``issuer_mismatch``: another provider's answer (mix-up, RFC 9207 §2.4).
        """
        if not state or self.state is None or not hmac.compare_digest(self.state.encode(), state.encode()):
            raise DownstreamError("state_mismatch")
        if self.iss != issuer and (self.iss is not None or iss_required):
            raise ProviderError("issuer_mismatch", "the authorization response names another issuer, or none")
        if self.refusal is not None:
            return self.refusal
        if self.code is None:
            raise _bad("one_of")
        return AuthorizationCode(self.code, _VALIDATED)


def authorization_url(
    endpoint: str,
    *,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    state: str,
    nonce: str,
    code_challenge: str,
    extra: Sequence[tuple[str, str]] = (),
) -> str:
    """The URL that begins a sign-in: code flow with PKCE, state and nonce, always all three.

    :param state: base64url without padding: Cognito refuses JSON in it, Okta most punctuation.
    :param extra: further parameters such as ``prompt``, in order.
    """
    parameters = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", redirect_uri),
        ("scope", " ".join(scopes)),
        ("state", state),
        ("nonce", nonce),
        ("code_challenge", code_challenge),
        ("code_challenge_method", METHOD),
        *extra,
    ]
    return with_query(endpoint, parameters)


def read_response(raw_query: str) -> AuthorizationResponse:
    """The authorization response in the raw query of the callback, without its ``?``.

    :raises DownstreamError: ``bad_callback``: a protocol parameter twice (RFC 6749 §3.1), both or none of
        code and error, broken encoding, or too much of it.
    """
    found = _protocol_parameters(raw_query)
    code = found.get("code")
    refusal = _refusal(found) if "error" in found else None
    if (code is None) == (refusal is None):
        raise _bad("one_of")
    if code is not None and not _CODE.fullmatch(code):
        raise _bad("code")
    return AuthorizationResponse(state=found.get("state"), code=code, iss=found.get("iss"), refusal=refusal)


def _protocol_parameters(raw_query: str) -> dict[str, str]:
    if len(raw_query) > MAX_QUERY or raw_query.count("&") >= MAX_PARAMETERS:
        raise _bad("too_long")
    if not raw_query.isascii() or _BAD_ESCAPE.search(raw_query):
        raise _bad("encoding")
    found: dict[str, str] = {}
    for pair in raw_query.split("&"):
        name, _, value = pair.partition("=")
        name = _decoded(name)
        if name not in PROTOCOL:
            continue
        if name in found:
            raise _bad("twice", name=name)
        found[name] = _decoded(value)
    if any(has_control(found.get(name, "")) for name in ("code", "state", "iss")):
        raise _bad("control")
    return found


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("encoding") from None


def _refusal(found: dict[str, str]) -> AuthorizationRefusal:
    error = found["error"]
    return AuthorizationRefusal(
        error=error if _ERROR_CODE.fullmatch(error) else "unknown",
        description=printable(found.get("error_description", "")),
    )


def _bad(detail: str, **values: str) -> DownstreamError:
    return DownstreamError("bad_callback", detail, **values)
