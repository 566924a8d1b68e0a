"""Okta's sign-in form, `/login/login.htm`, and the way on from it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from gateway.demo import clock
from gateway.demo.answers import form_of, query_of, redirect
from gateway.demo.okta.cookies import device_cookie, session_cookies
from gateway.demo.okta.state import Okta, Pending, Session
from gateway.demo.okta.targets import is_own_path, is_trusted
from gateway.demo.pages import message, page, password_form
from gateway.demo.people import sign_in

PARTY = "Okta (emulated)"


def proceed(
    okta: Okta,
    request: web.Request,
    finish: Callable[[Session], web.Response],
    *,
    force: bool,
    hint: str = "",
) -> web.Response:
    """Go on with *finish* if the browser is signed in; else, or when *force*, ask for the password first."""
    session = okta.session_of(request)
    if session and not force:
        return finish(session)
    key = okta.park(Pending(finish, session.id if session else "", clock.now()))
    query = {"fromURI": f"/login/continue?key={key}"}
    if force:
        query["prompt"] = "login"
    if hint:
        query["login_hint"] = hint
    return redirect(f"/login/login.htm?{urlencode(query)}")


class Login:
    """The form, the page of a signed-in person, and `/login/continue`."""

    def __init__(self, okta: Okta) -> None:
        self._okta = okta

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [
            web.get("/", self._home, allow_head=False),
            web.get("/app/UserHome", self._home, allow_head=False),
            web.get("/login/login.htm", self._show, allow_head=False),
            web.post("/login/login.htm", self._submit),
            web.get("/login/continue", self._continue, allow_head=False),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        query = query_of(request)
        if self._okta.session_of(request) and query.get("prompt") != "login":
            return redirect(self._onward(query.get("fromURI", "")))
        return self._form(request, query.get("login_hint", ""))

    async def _submit(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        person = sign_in(form.get("username", ""), form.get("password", ""))
        if person is None:
            return self._form(request, form.get("username", ""), "User name or password is wrong.")
        if person.email in self._okta.suspended:
            return self._form(request, person.email, "This account is suspended.")
        previous = self._okta.session_of(request)
        if previous:
            self._okta.sessions.pop(previous.id, None)
        session = self._okta.begin(person)
        target = self._onward(query_of(request).get("fromURI", ""))
        cookies = [*session_cookies(self._okta, session), *device_cookie(self._okta, request)]
        return redirect(target, *cookies, status=303)

    async def _continue(self, request: web.Request) -> web.Response:
        key = query_of(request).get("key", "")
        pending = self._okta.pending.get(key)
        session = self._okta.session_of(request)
        if pending is None:
            return message(
                PARTY, "This sign-in is over", "Go back to the application and try again.", status=400
            )
        if session is None or session.id == pending.refused:
            return redirect(f"/login/login.htm?{urlencode({'fromURI': request.raw_path, 'prompt': 'login'})}")
        del self._okta.pending[key]
        return pending.finish(session)

    async def _home(self, request: web.Request) -> web.Response:
        session = self._okta.session_of(request)
        if session is None:
            return redirect("/login/login.htm")
        content = (
            f"<p>You are signed in to Okta as <strong>{escape(session.person.email)}</strong>.</p>"
            '<a class="button" href="/login/signout">Sign out of Okta</a>'
            '<p class="note">Administrators have <a href="/admin">a page of their own</a>.</p>'
        )
        return page(PARTY, "Your Okta account", content)

    def _onward(self, target: str) -> str:
        return target if is_own_path(target) or is_trusted(self._okta, target) else "/app/UserHome"

    def _form(self, request: web.Request, username: str, fault: str = "") -> web.Response:
        content = password_form(request.raw_path, username, fault=fault)
        cookies = device_cookie(self._okta, request)
        return page(PARTY, "Sign in", content, status=403 if fault else 200, cookies=cookies)
