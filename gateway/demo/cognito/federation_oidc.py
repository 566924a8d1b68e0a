"""Cognito as an OpenID Connect client of Okta: code flow with PKCE, Okta's ID token verified."""

from __future__ import annotations

from typing import Any

import jwt
from aiohttp import ClientError

from gateway.demo import clock, jwts
from gateway.demo.answers import with_query
from gateway.demo.cognito.state import Attempt, Cognito, Identity
from gateway.demo.okta.state import COGNITO_CLIENT_ID, COGNITO_CLIENT_SECRET

FORWARDED_PROMPTS = ("login", "select_account", "consent")


class BadAnswerError(Exception):
    """Okta could not be reached, or what it said does not hold."""


def callback_url(cognito: Cognito) -> str:
    """Return Cognito's redirect URI at Okta."""
    return f"{cognito.url}/oauth2/idpresponse"


def request_url(cognito: Cognito, attempt: Attempt, handle: str) -> str:
    """Return the authorization request to Okta; prompt and login_hint are passed on."""
    prompt = [value for value in FORWARDED_PROMPTS if value in attempt.request.prompt]
    parameters = {
        "client_id": COGNITO_CLIENT_ID,
        "redirect_uri": callback_url(cognito),
        "response_type": "code",
        "scope": "openid email profile groups",
        "state": handle,
        "nonce": attempt.nonce,
        "code_challenge": jwts.s256(attempt.verifier),
        "code_challenge_method": "S256",
        "prompt": " ".join(prompt) or None,
        "login_hint": attempt.request.login_hint,
    }
    return with_query(f"{cognito.common.options.okta}/oauth2/v1/authorize", parameters)


async def identity_from(cognito: Cognito, attempt: Attempt, code: str) -> Identity:
    """Redeem Okta's *code* and return who its ID token names; raises BadAnswerError."""
    base = f"{cognito.common.options.okta}/oauth2/v1"
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback_url(cognito),
        "code_verifier": attempt.verifier,
        "client_id": COGNITO_CLIENT_ID,
        "client_secret": COGNITO_CLIENT_SECRET,
    }
    try:
        async with cognito.http.post(f"{base}/token", data=form) as response:
            tokens = await response.json()
        async with cognito.http.get(f"{base}/keys") as response:
            key_set = await response.json()
        claims = _verified(cognito, str(tokens.get("id_token")), key_set)
    except (ClientError, TimeoutError, ValueError, KeyError, jwt.PyJWTError) as error:
        raise BadAnswerError(type(error).__name__) from error
    if claims.get("nonce") != attempt.nonce:
        raise BadAnswerError("nonce")
    return _identity(claims)


def _verified(cognito: Cognito, token: str, key_set: dict[str, Any]) -> dict[str, Any]:
    key = jwt.PyJWKSet.from_dict(key_set)[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=COGNITO_CLIENT_ID, issuer=cognito.common.options.okta
    )
    if claims["exp"] <= clock.now():
        raise BadAnswerError("expired")
    return claims


def _identity(claims: dict[str, Any]) -> Identity:
    return Identity(
        subject=claims["sub"],
        email=claims["email"],
        name=claims["name"],
        given_name=claims["given_name"],
        family_name=claims["family_name"],
        preferred_username=claims["preferred_username"],
        groups=tuple(claims["groups"]),
        provider_type="OIDC",
        signed_in=int(claims["auth_time"]),
    )
