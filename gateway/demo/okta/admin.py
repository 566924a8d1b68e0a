"""`/admin`: what an administrator of Okta can do to somebody's sessions, and what the application said to it."""

from __future__ import annotations

from collections import deque
from html import escape
from typing import Any

from aiohttp import web

from gateway.demo import clock
from gateway.demo.answers import form_of, redirect
from gateway.demo.guarded import check_host
from gateway.demo.okta.login import PARTY
from gateway.demo.okta.outbound.sender import KINDS, Sender
from gateway.demo.okta.state import Okta
from gateway.demo.pages import page
from gateway.demo.people import PEOPLE, Person

PATH = "/admin"
SHOWN = 8
NAMES = {"universal_logout": "Universal Logout", "event_hook": "Event hook"}


class Admin:
    """The page and its three buttons. For whoever runs the demo: it asks for no password."""

    def __init__(self, okta: Okta, sender: Sender) -> None:
        self._okta = okta
        self._sender = sender
        self._told: deque[str] = deque(maxlen=SHOWN)

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        return [web.get(PATH, self._show, allow_head=False), web.post(PATH, self._act)]

    async def _show(self, request: web.Request) -> web.Response:
        check_host(request, self._okta.url)
        people = "".join(self._row(person) for person in PEOPLE)
        lines = "".join(f"<li>{escape(line)}</li>" for line in reversed(self._told))
        told = f"<h2>What the application answered</h2><ul>{lines}</ul>" if lines else ""
        note = (
            '<p class="note"><em>Clear sessions</em> ends the sessions at Okta, and sends the application a Universal'
            " Logout and the event <code>user.session.clear</code>. <em>Suspend</em> closes the account as well, and"
            " sends the event <code>user.lifecycle.suspend</code> alone.</p>"
        )
        return page(PARTY, "People and their sessions", f"{people}{note}{told}")

    def _row(self, person: Person) -> str:
        count = [user for user, _ in self._okta.live_sessions()].count(person.email)
        suspended = person.email in self._okta.suspended
        state = "suspended" if suspended else f"{count} session{'' if count == 1 else 's'} at Okta"
        other = ("unsuspend", "Unsuspend") if suspended else ("suspend", "Suspend")
        buttons = "".join(
            f'<button name="action" value="{action}" id="{action}-{person.preferred_username}"'
            f' aria-label="{label}: {escape(person.name)}">{label}</button>'
            for action, label in (("clear", "Clear sessions"), other)
        )
        return (
            f'<form method="post" action="{PATH}"><h2>{escape(person.name)}</h2>'
            f"<p>{escape(person.email)}, {state}</p>"
            f'<input type="hidden" name="user" value="{escape(person.email)}">'
            f'<div class="beside">{buttons}</div></form>'
        )

    async def _act(self, request: web.Request) -> web.Response:
        check_host(request, self._okta.url)
        if request.headers.get("Origin") != self._okta.url:
            raise web.HTTPForbidden(text="only the page itself can do this\n")
        form = await form_of(request)
        person = next((each for each in PEOPLE if each.email == form.get("user")), None)
        actions = {"clear": self._clear, "suspend": self._suspend, "unsuspend": self._unsuspend}
        action = actions.get(form.get("action", ""))
        if person is None or action is None:
            raise web.HTTPBadRequest(text="nobody of that name, or nothing to do\n")
        await action(person)
        return redirect(PATH, status=303)

    async def _clear(self, person: Person) -> None:
        self._okta.clear(person, "an administrator (clear sessions)")
        await self._say("universal_logout", person)
        await self._say("event_hook", person, "user.session.clear")

    async def _suspend(self, person: Person) -> None:
        self._okta.suspended.add(person.email)
        self._okta.clear(person, "an administrator (suspend)")
        await self._say("event_hook", person, "user.lifecycle.suspend")

    async def _unsuspend(self, person: Person) -> None:
        self._okta.suspended.discard(person.email)

    async def _say(self, kind: str, person: Person, *events: str) -> None:
        wishes: dict[str, Any] = {"events": events} if events else {}
        [answer] = await self._sender.send(kind, user=person.email, **wishes)
        what = f"{NAMES[kind]} {' '.join(events)}".strip()
        said = f"{answer.status} from {KINDS[kind].path}" if answer.status else f"not reached ({answer.body})"
        self._told.append(f"{clock.instant(clock.now())[11:19]} {what}, {person.email}: {said}")
