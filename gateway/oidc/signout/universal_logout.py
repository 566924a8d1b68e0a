"""Okta Universal Logout, the OAuth Global Token Revocation request (draft-parecki-oauth-global-token-revocation-04).

A bearer token says who asks; the body says about whom. The token does not cover the body: whoever caught one could send
it again with another subject, which is why its ``jti`` is good for one subject only (``web/endpoints``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.core.errors import ProviderError
from gateway.oidc.jose.jwks import KeySet
from gateway.oidc.jose.signed_token import (
    Kind,
    check_audience,
    check_expiry,
    check_issued,
    check_issuer,
    read_signed,
    text_in,
)
from gateway.oidc.wire import json_object

MAX_BEARER: Final = 16 * 1024
LONGEST_LIFE: Final = 3_600
"""Seconds since a token was issued; Okta's live five minutes. As long its ``jti`` has to be remembered at most."""
_KIND: Final = Kind("the bearer token", ("global-token-revocation+jwt",), typed=True, longest=MAX_BEARER)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may call.

    :ivar subject: the application there: its client id, or the instance id of a SAML application.
    :ivar audience: the endpoint's absolute URL.
    """

    issuer: str
    subject: str
    audience: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose token is good."""

    token_id: str
    issued_at: int


def read_bearer(token: str, *, keys: KeySet, caller: Caller, now: int) -> Call:
    """The call that ``token`` allows.

    :raises ProviderError: ``token_rejected``; ``unknown_key``; ``other_application`` when all of it holds but that it
        is for this application.
    """
    claims = read_signed(token, keys=keys, kind=_KIND).claims
    check_issuer(claims, caller.issuer)
    check_audience(claims, caller.audience)
    check_expiry(claims, now)
    call = Call(text_in(claims, "jti"), check_issued(claims, now, within=LONGEST_LIFE))
    if text_in(claims, "sub") != caller.subject:
        raise ProviderError("other_application", "the token is for another application at the issuer")
    return call


def read_body(body: bytes) -> object:
    """The subject in ``body``, not looked at yet.

    :raises ProviderError: ``malformed_request``.
    """
    found = json_object(body, "the request", code="malformed_request")
    if "sub_id" not in found:
        raise ProviderError("malformed_request", "the request has no sub_id")
    return found["sub_id"]
