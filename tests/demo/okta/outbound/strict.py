"""A receiver's checks, written from the specifications and not from the sender's code."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

import jwt

from tests.demo.lab import Lab
from tests.demo.receiver import Receiver, Taken

LEEWAY = 60
BACKCHANNEL = "http://schemas.openid.net/event/backchannel-logout"


async def keys(lab: Lab) -> dict[str, Any]:
    """Okta's published keys by id."""
    async with lab.browser.session.get(f"{lab.options.okta}/oauth2/v1/keys") as response:
        return {key["kid"]: jwt.PyJWK(key) for key in (await response.json())["keys"]}


def signed_claims(
    token: str, known: dict[str, Any], *, typ: str, issuer: str, audience: str
) -> dict[str, Any]:
    """The claims, when signature, type, issuer and audience are right; else ValueError."""
    try:
        header = jwt.get_unverified_header(token)
        key = known[header["kid"]]
        claims = jwt.decode(
            token, key, algorithms=["RS256"], audience=audience, issuer=issuer,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )  # fmt: skip
    except (jwt.PyJWTError, KeyError) as error:
        raise ValueError(type(error).__name__) from error
    iat = claims.get("iat")
    if header.get("typ") != typ or "jti" not in claims or not isinstance(iat, int):
        raise ValueError("typ, jti or iat")
    if not time.time() - 600 < iat < time.time() + LEEWAY:
        raise ValueError("too old, or from the future")
    if "exp" in claims and claims["exp"] < time.time() - LEEWAY:
        raise ValueError("expired")
    return claims


def universal_logout(taken: Taken, known: dict[str, Any], lab: Lab, receiver: Receiver, subject: str) -> Any:
    """Global Token Revocation: the subject identifier, or ValueError."""
    audience = f"{receiver.app}/oauth2/global-token-revocation"
    if not taken.headers.get("Authorization", "").startswith("Bearer "):
        raise ValueError("no token")
    claims = signed_claims(
        taken.bearer, known, typ="global-token-revocation+jwt", issuer=lab.options.okta, audience=audience
    )
    if claims["sub"] != subject or "exp" not in claims:
        raise ValueError("for another application, or for ever")
    if taken.headers["Content-Type"] != "application/json":
        raise ValueError("content type")
    try:
        about = taken.json()["sub_id"]
    except KeyError as error:
        raise ValueError("no subject") from error
    if about["format"] not in {"email", "iss_sub", "opaque"}:
        raise ValueError("format")
    return about


def logout_token(taken: Taken, known: dict[str, Any], lab: Lab) -> Any:
    """OpenID Connect back-channel logout §2.6, with our reading of age and type."""
    if taken.headers["Content-Type"] != "application/x-www-form-urlencoded":
        raise ValueError("content type")
    tokens = parse_qs(taken.body).get("logout_token", [])
    if len(tokens) != 1:
        raise ValueError("not one token")
    claims = signed_claims(
        tokens[0], known, typ="logout+jwt", issuer=lab.options.okta, audience="demo-client"
    )
    about = {name: claims[name] for name in ("sub", "sid") if name in claims}
    event = claims.get("events", {}).get(BACKCHANNEL)
    if not about or "exp" not in claims or "nonce" in claims or not isinstance(event, dict):
        raise ValueError("claims")
    return about


def security_event(taken: Taken, known: dict[str, Any], lab: Lab) -> Any:
    """RFC 8417 and SSF 1.0, in both shapes: event type, subject and time in seconds."""
    if taken.headers["Content-Type"] != "application/secevent+jwt":
        raise ValueError("content type")
    claims = signed_claims(
        taken.body, known, typ="secevent+jwt", issuer=lab.options.okta, audience=lab.options.app
    )
    events = claims.get("events", {})
    if {"sub", "exp"} & set(claims) or len(events) != 1:
        raise ValueError("claims")
    ((name, event),) = events.items()
    subject = claims.get("sub_id") or event.get("subject")
    if subject is None:
        raise ValueError("no subject")
    if "unheard" in name or "state" in event:
        raise ValueError("not an event that was asked for")
    at = event["event_timestamp"]
    return name.rpartition("/")[2], subject, at / 1000 if at > 1e11 else at
