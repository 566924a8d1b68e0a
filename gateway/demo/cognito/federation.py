"""What all sign-ins share: begun, come back from Okta or from Cognito's own form, and turned into a code."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from aiohttp import web

from gateway.demo import clock, dice
from gateway.demo.answers import Cookie, redirect, with_query
from gateway.demo.cognito import federation_oidc, federation_saml
from gateway.demo.cognito.errors import RefusedError, refusal_redirect
from gateway.demo.cognito.state import Attempt, AuthorizationRequest, Code, Cognito, Identity, Session, SignIn
from gateway.demo.saml.xml import SamlError

CSRF_COOKIES = ("csrf-state", "csrf-state-legacy")
HANDLE_BYTES = 72  # 96 characters: opaque and longer than the 80 bytes SAML promises to carry


async def begin(cognito: Cognito, asked: AuthorizationRequest) -> web.Response:
    """Send the browser to Okta and remember why."""
    attempt = Attempt(asked, dice.token(), clock.now(), f"_{dice.token(16)}", dice.token(), dice.token(32))
    handle = dice.token(HANDLE_BYTES)
    cognito.attempts = {key: a for key, a in cognito.attempts.items() if not _over(cognito, a)}
    cognito.attempts[handle] = attempt
    same_site = cognito.common.switches.word("csrf_state_same_site")
    cookies = [
        Cookie("csrf-state", attempt.csrf, same_site=same_site),
        Cookie("csrf-state-legacy", attempt.csrf, same_site=None),
    ]
    if cognito.common.switches.word("federation") == "oidc":
        return redirect(federation_oidc.request_url(cognito, attempt, handle), *cookies)
    try:
        return redirect(await federation_saml.request_url(cognito, attempt, handle), *cookies)
    except SamlError as error:
        return fail(cognito, attempt.request, RefusedError("server_error", str(error)))


def claim(cognito: Cognito, request: web.Request, handle: str) -> Attempt | None:
    """Return the attempt *handle* stands for, once, if this browser began it and it is not too old."""
    attempt = cognito.attempts.get(handle)
    if attempt is None or _over(cognito, attempt):
        return None
    presented = [request.cookies.get(name, "") for name in CSRF_COOKIES]
    if not any(hmac.compare_digest(value.encode(), attempt.csrf.encode()) for value in presented):
        return None
    del cognito.attempts[handle]
    return attempt


def succeed(
    cognito: Cognito, request: web.Request, asked: AuthorizationRequest, identity: Identity
) -> web.Response:
    """Start the browser's session and hand out a code, or the error the switch asks for."""
    error = cognito.common.switches.word("authorize_error")
    if error != "none":
        return fail(cognito, asked, RefusedError(error, "switched on for this demonstration"))
    previous = cognito.session_of(request)
    if previous:
        cognito.sessions.pop(previous.id, None)
    session = cognito.begin(identity)
    cookies = [cognito.session_cookie(session), *(Cookie(name, "", 0, None) for name in CSRF_COOKIES)]
    return hand_out_code(cognito, session, asked, cookies)


def fail(cognito: Cognito, asked: AuthorizationRequest, refusal: RefusedError) -> web.Response:
    """Return the error to the client that asked."""
    return refusal_redirect(cognito, asked.redirect_uri, refusal, asked.state)


def hand_out_code(
    cognito: Cognito, session: Session, asked: AuthorizationRequest, cookies: Sequence[Cookie]
) -> web.Response:
    """Return to the client with a code for *session*'s person."""
    told = cognito.common.switches.word("cognito_auth_time") == "provider"
    made_up = dice.token(16) if session.identity.provider_type else None  # for federated people only
    sign_in = SignIn(
        identity=session.identity,
        session_id=session.id,
        client_id=asked.client_id,
        scopes=asked.scopes,
        nonce=asked.nonce or made_up,
        auth_time=(session.identity.signed_in if told else None) or session.created,
        key=dice.identifier(),
        event=dice.identifier(),
    )
    code = dice.identifier()
    cognito.codes[code] = Code(sign_in, asked.redirect_uri, asked.challenge, clock.now())
    issuer = cognito.common.options.issuer if cognito.common.switches.flag("authorize_iss") else None
    parameters = {"code": code, "state": asked.state, "iss": issuer}
    return redirect(with_query(asked.redirect_uri, parameters), *cookies)


def _over(cognito: Cognito, attempt: Attempt) -> bool:
    return clock.now() >= attempt.begun + cognito.common.switches.number("sign_in_seconds")
