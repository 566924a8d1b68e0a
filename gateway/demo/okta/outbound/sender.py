"""`POST /__send`: makes the emulated Okta send one message to an application, and says what that answered."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from gateway.demo.answers import json_answer
from gateway.demo.guarded import json_body
from gateway.demo.okta.outbound.delivery import Answer, Post, is_local
from gateway.demo.okta.outbound.event_hook import EVENT_HOOK
from gateway.demo.okta.outbound.logout_token import LOGOUT_TOKEN
from gateway.demo.okta.outbound.orders import Kind, Order, person_named
from gateway.demo.okta.outbound.security_event import SECURITY_EVENT
from gateway.demo.okta.outbound.universal_logout import UNIVERSAL_LOGOUT
from gateway.demo.okta.state import Okta, Session
from gateway.demo.people import PEOPLE

KINDS: Mapping[str, Kind] = {
    "universal_logout": UNIVERSAL_LOGOUT,
    "event_hook": EVENT_HOOK,
    "security_event": SECURITY_EVENT,
    "logout_token": LOGOUT_TOKEN,
}
MOST = 20


class OrderError(ValueError):
    """What is asked for cannot be sent; the text says what can."""


class Sender:
    """Sends what Okta sends; for tests, for `/__send`, and for the admin page."""

    def __init__(self, okta: Okta, post: Post) -> None:
        self._okta = okta
        self._post = post
        okta.watchers.append(self._ended)

    def routes(self) -> list[web.RouteDef]:
        """Return the one route."""
        return [web.post("/__send", self._handle)]

    async def send(self, kind: str, *, times: int = 1, **wishes: object) -> list[Answer]:
        """Send one message of *kind*, the very same one *times* times; returns the receiver's answers.

        *wishes* are user, to, variant, events and the choices of the kind. Raises OrderError.
        """
        if kind not in KINDS:
            raise OrderError(f"kind is one of {', '.join(KINDS)}")
        if not 1 <= times <= MOST:
            raise OrderError(f"times is 1 to {MOST}")
        order = self._order(KINDS[kind], wishes)
        delivery = KINDS[kind].build(self._okta, order)
        answers = [await self._post.send(delivery) for _ in range(times)]
        told = ", ".join(str(answer.status) for answer in answers)
        about = f"{order.variant} {kind} about {order.person.email}"
        self._okta.common.tell(f"Okta: sent {about} to {order.url}: {told}")
        return answers

    def _ended(self, session: Session) -> None:
        """Tell the event hook of a session that ends, if the switch is on."""
        if self._okta.common.switches.flag("event_hook"):
            order = self._order(EVENT_HOOK, {"user": session.person.email})
            self._post.send_soon(EVENT_HOOK.build(self._okta, order))

    def _order(self, kind: Kind, wishes: Mapping[str, object]) -> Order:
        known = {"user", "to", "variant", *kind.choices, *(["events"] if kind.events else [])}
        if set(wishes) - known:
            raise OrderError(f"besides kind and times there are {', '.join(sorted(known))}")
        to = str(wishes.get("to", self._okta.common.options.app + kind.path))
        if not is_local(to) and not to.startswith(f"{self._okta.common.options.app}/"):
            raise OrderError("to is an address of the application or of this machine")
        return Order(
            person=person_named(str(wishes.get("user", PEOPLE[0].email))),
            url=to,
            variant=_one_of(wishes.get("variant", "good"), kind.variants, "variant"),
            events=_events(kind, wishes.get("events")),
            choices={
                name: _one_of(wishes.get(name, allowed[0]), allowed, name)
                for name, allowed in kind.choices.items()
            },
        )

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            body = await json_body(request, self._okta.url)
            if not isinstance(body, dict):
                raise OrderError("the body is a JSON object")
            times = body.pop("times", 1)
            kind = str(body.pop("kind", ""))
            answers = await self.send(kind, times=times if isinstance(times, int) else 0, **body)
        except ValueError as error:
            return json_answer({"error": str(error)}, status=400)
        shown = [{"status": answer.status, "body": answer.body} for answer in answers]
        return json_answer({**shown[-1], "answers": shown})


def _events(kind: Kind, given: object) -> tuple[str, ...]:
    if given is None:
        return kind.events[:1]
    if not isinstance(given, list | tuple) or not given:
        raise OrderError("events is a list of names")
    return tuple(_one_of(name, kind.events, "events") for name in given)


def _one_of(value: object, allowed: tuple[str, ...], name: str) -> str:
    if value not in allowed:
        raise OrderError(f"{name} is one of {', '.join(allowed)}")
    return str(value)
