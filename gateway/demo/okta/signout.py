"""`/login/signout?fromURI=…`: not in Okta's documentation, and what nearly everybody uses."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from gateway.demo.answers import query_of, redirect
from gateway.demo.okta.cookies import expired_cookies
from gateway.demo.okta.front_channel import addresses
from gateway.demo.okta.login import PARTY
from gateway.demo.okta.state import Okta, Session
from gateway.demo.okta.targets import is_own_path, is_trusted
from gateway.demo.pages import message, moving_link

LOGIN = "/login/login.htm"


class SignOut:
    """Ends the browser's session without asking for anything, then goes where it is allowed to."""

    def __init__(self, okta: Okta) -> None:
        self._okta = okta
        self._switches = okta.common.switches

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get("/login/signout", self._handle, allow_head=False)]

    async def _handle(self, request: web.Request) -> web.Response:
        session = self._okta.session_of(request)
        target = query_of(request).get("fromURI", "")
        frames = addresses(self._okta, session) if self._switches.flag("signout_fans_out") else ()
        answer = self._answer(target, frames, had_session=session is not None)
        self._end(session, answer)
        return answer

    def _answer(self, target: str, frames: Sequence[str], *, had_session: bool) -> web.Response:
        gone = expired_cookies(self._okta)
        if self._switches.flag("signout_strands"):
            return message(
                PARTY, "You have signed out", "This page does not go on.", status=200, cookies=gone
            )
        stays = not had_session and self._switches.word("signout_without_session") == "login_page"
        if not target or stays:
            return (
                moving_link(PARTY, LOGIN, cookies=gone, frames=frames) if frames else redirect(LOGIN, *gone)
            )
        if not self._allowed(target):
            return self._untrusted()
        if not self._switches.flag("signout_keeps_query"):
            target = target.partition("?")[0]
        if frames or self._switches.flag("signout_interstitial"):
            return moving_link(PARTY, target, cookies=gone, frames=frames)
        return redirect(target, *gone)

    def _allowed(self, target: str) -> bool:
        relative = self._switches.flag("signout_relative") and is_own_path(target)
        return relative or is_trusted(self._okta, target)

    def _untrusted(self) -> web.Response:
        gone = expired_cookies(self._okta)
        if self._switches.word("signout_untrusted") == "login_page":
            return redirect(LOGIN, *gone)
        text = "The address to return to is not a trusted origin. You have been signed out of Okta."
        return message(PARTY, "Not allowed", text, status=400, cookies=gone)

    def _end(self, session: Session | None, answer: web.Response) -> None:
        went = answer.headers.get("Location", "a page of its own").partition("?")[0]
        if session is None:
            self._okta.common.tell(f"Okta: nobody was signed in at /login/signout, returned to {went}")
            return
        self._okta.end(session, f"/login/signout, returned to {went}")
        if not self._switches.flag("signout_revokes_tokens"):
            return
        for token in self._okta.common.issued:
            token.revoked = token.revoked or token.user == session.person.email
