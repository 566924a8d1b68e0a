"""Cognito's own people, who sign in with a password at its own form: no identity provider behind it."""

from __future__ import annotations

import hmac
from html import escape

from aiohttp import web

from gateway.demo import dice
from gateway.demo.answers import Cookie, form_of
from gateway.demo.cognito.errors import PARTY
from gateway.demo.cognito.federation import succeed
from gateway.demo.cognito.state import AuthorizationRequest, Cognito, Identity
from gateway.demo.pages import page, password_form
from gateway.demo.people import Person, sign_in

CSRF_COOKIE = "XSRF-TOKEN"
CSRF_FIELD = "_csrf"


def knows_people(cognito: Cognito) -> bool:
    """Say whether people have their accounts in this pool, and none at Okta."""
    return cognito.common.switches.word("federation") == "none"


def form(request: web.Request, username: str, *, wrong: bool = False) -> web.Response:
    """Return the form; it is posted to the address it came from, which holds the authorization request."""
    token = dice.identifier()
    hidden = f'<input type="hidden" name="{CSRF_FIELD}" value="{escape(token)}">'
    fault = "User name or password is wrong." if wrong else ""
    content = password_form(request.raw_path, username, fault=fault, more=hidden)
    cookie = Cookie(CSRF_COOKIE, token, same_site="Lax")
    return page(PARTY, "Sign in", content, status=400 if wrong else 200, cookies=[cookie])


async def signed_in(cognito: Cognito, request: web.Request, asked: AuthorizationRequest) -> web.Response:
    """Answer the form: with a code, or with the form again when the password or the browser is not the right one."""
    given = await form_of(request)
    name = given.get("username", "")
    person = sign_in(name, given.get("password", ""))
    begun_here = hmac.compare_digest(
        given.get(CSRF_FIELD, "").encode(), request.cookies.get(CSRF_COOKIE, "none").encode()
    )
    if person is None or not begun_here:
        return form(request, name, wrong=True)
    return succeed(cognito, request, asked, _identity(person))


def _identity(person: Person) -> Identity:
    return Identity(
        subject=person.email,
        email=person.email,
        name=person.name,
        given_name=person.given_name,
        family_name=person.family_name,
        preferred_username=person.preferred_username,
        groups=person.groups,
        provider_type=None,
    )
