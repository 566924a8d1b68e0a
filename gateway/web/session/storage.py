"""The gateway's session for pages and plug-ins written as aiohttp applications, through ``aiohttp_session``.

``aiohttp_session.setup(app, SessionStorage(...))`` and then ``get_session(request)``: the identity is the session id,
``user``, ``email``, ``groups`` and ``claims`` are there to read, and what an application wants to keep goes under the
one key ``page``. The session begins at login and ends by logout; no application can begin, prolong or forge one.

aiohttp-session's own encrypted storage is not used: it has no key ring, cuts no cookies and skips streamed responses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp_session
from aiohttp import web

from gateway.core import clock
from gateway.core.http.own_cookies import SESSION, suffixed
from gateway.core.session.session import Husk, Session
from gateway.web.session.session import Carried, Sessions

PAGE = "page"
MAX_PAGE = 512
"""Bytes of JSON: the cookie budget is for the session (rule R33)."""


class SessionStorage(aiohttp_session.AbstractStorage):
    """Reads the sealed session and stores what pages keep in it.

    :param alive: whether a session still stands: not revoked, not expired.
    """

    def __init__(self, sessions: Sessions, alive: Callable[[Session], bool]) -> None:
        super().__init__(cookie_name=suffixed(SESSION, sessions.suffix), secure=True, samesite="Lax")
        self._sessions = sessions
        self._alive = alive

    async def load_session(self, request: web.Request) -> aiohttp_session.Session:
        """The live session, or a new empty one without identity that cannot be saved.

        :raises web.HTTPServiceUnavailable: it is kept in Redis, which does not answer.
        """
        session = (await self._carried(request)).session
        if isinstance(session, Husk) and session.away:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        if not isinstance(session, Session) or not self._alive(session):
            return aiohttp_session.Session(None, data=None, new=True)
        data: aiohttp_session.SessionData = {"created": session.login_at, "session": _session_data(session)}
        return aiohttp_session.Session(session.sid, data=data, new=False)

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: aiohttp_session.Session
    ) -> None:
        """Seal what stands under ``page``.

        :raises ValueError: there is no session, something else was changed, or it is larger than 512 bytes.
        :raises StateError: it is kept in Redis, which does not answer.
        """
        carried = await self._carried(request)
        held = carried.session
        if not isinstance(held, Session) or session.identity != held.sid or not self._alive(held):
            raise ValueError("there is no session to keep anything in; sign in first")
        page = session.get(PAGE, {})
        if session and dict(session) | {PAGE: {}} != _session_data(held) | {PAGE: {}}:
            raise ValueError(f"only the key {PAGE!r} of the session can be written")
        if not isinstance(page, dict) or len(json.dumps(page).encode()) > MAX_PAGE:
            raise ValueError(f"what pages keep is an object of at most {MAX_PAGE} bytes of JSON")
        for line in await self._sessions.keep(replace(held, page=page), carried, clock.now()):
            response.headers.add("Set-Cookie", line)

    async def _carried(self, request: web.Request) -> Carried:
        headers = tuple(value for name, value in request.raw_headers if name.lower() == b"cookie")
        await self._sessions.fetch(headers, clock.now())
        return self._sessions.carried(headers, clock.now())


def _session_data(session: Session) -> dict[str, Any]:
    who = session.principal
    return {
        "user": who.user,
        "email": who.email,
        "groups": list(who.groups),
        "claims": dict(who.claims),
        PAGE: dict(session.page),
    }
