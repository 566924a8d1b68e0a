"""``/oauth2/auth``: a proxy in front asks whether a request may pass (rules R7 and R10).

The verdict is that of the gate; only its words differ. 200 is a pass and nothing else is. The session is neither
refreshed nor sealed anew, and no cookie is set, because not every caller hands cookies on. Activity counts where the
session is kept in Redis and its browser has a ticket, which stays as it is; and where a caller does hand cookies on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from gateway.core import clock
from gateway.core.errors import DownstreamError
from gateway.core.gate import Allow, Challenge, Prove, Revocations
from gateway.core.http.addresses import UNKNOWN
from gateway.core.http.facts import RequestFacts
from gateway.core.http.forwarded import TAKING_COOKIES, AskingProxy, cookies_for_application
from gateway.core.http.routes import Route
from gateway.core.memo import Memo
from gateway.core.session.identity_headers import IdentityOptions, identity_headers
from gateway.core.session.session import Principal
from gateway.web.endpoints.callers import Callers
from gateway.web.forward.forwarder import Forwarder
from gateway.web.gate import Gate
from gateway.web.messages import Answer, Request, Response
from gateway.web.pages.errors import refuse, refuse_account
from gateway.web.pages.pages import Page
from gateway.web.pages.respond import Prepared, redirect, weighed
from gateway.web.signout.session_events import SessionEvents
from gateway.web.standing import Standing
from gateway.web.statuses import for_proxy
from gateway.web.unauthorized import Unauthorized, code

REASON = "X-Gateway-Reason"
"""On every answer but 200: the stable code, for proxies that write answers of their own."""

REFUSAL = "/refusal"
"""Below the address of the questions: the same, where the answer is for the browser, so nobody's headers are in it."""

PRINCIPALS, PRINCIPALS_BYTES = 1_024, 16 * 1024 * 1024
"""Those whose identity headers are kept as bytes."""

_NOBODY = Principal(issuer="", subject="", user="")


class ForwardAuth:
    """Answers the questions of proxies.

    :param callers: who may ask. :param path: of the questions.
    :param grpc: they come over gRPC.
    """

    def __init__(
        self, *, callers: Callers, path: str, identity: IdentityOptions, standing: Standing,
        unauthorized: Unauthorized, gate: Gate, forwarder: Forwarder, events: SessionEvents, grpc: bool = False,
    ) -> None:  # fmt: skip
        self._callers = callers
        self._path = path
        self._refusal = f"{path}{REFUSAL}"
        self._identity = identity
        self._standing = standing
        self._unauthorized = unauthorized
        self._gate = gate
        self._forwarder = forwarder
        self._events = events
        self._grpc = grpc
        self._passed = Memo(self._pass, entries=PRINCIPALS, size=PRINCIPALS_BYTES, weigh=weighed)

    def __call__(self, request: Request, facts: RequestFacts) -> Answer:
        """200 with every identity header, 401 (or 302), 403; 503 while log or session cannot be read."""
        try:
            caller, original = request.head.question(
                request.peer, self._callers.now, self._path, grpc=self._grpc
            )
            route = self._forwarder.route_for(original.path)
        except DownstreamError as error:
            asker = self._callers.at(request.peer)
            if asker is None or not self._once_more(asker, request):
                self._callers.refused(asker, error, request.peer)
            return _refused(facts, error.code)
        request.route = route.path
        if (
            original.client == UNKNOWN != facts.client
        ):  # else it is there and cannot be read, which the door has said
            self._callers.nameless(caller, request.peer)
        if original.preflight:  # rule R8: never handed on, and no caller could relay an answer of ours
            return _refused(original, "cross_origin")
        if self._standing.waits(original):
            return self._after(caller, request, original, route, self._standing.caught_up(original))
        return self._decide(caller, request, original, route, self._standing.revocations())

    def _once_more(self, caller: AskingProxy, request: Request) -> bool:
        """Whether nginx asks for a refusal again, to show it; it was told of the first time. Elsewhere the end of the
        target is the application's.
        """
        return request.target == self._refusal and caller.kind == "nginx"

    async def _after(
        self,
        caller: AskingProxy,
        request: Request,
        original: RequestFacts,
        route: Route,
        reading: Awaitable[Revocations],
    ) -> Answer:
        return self._decide(caller, request, original, route, await reading)

    def _decide(
        self,
        caller: AskingProxy,
        request: Request,
        original: RequestFacts,
        route: Route,
        revocations: Revocations,
    ) -> Answer:
        again = self._once_more(caller, request)
        carried, verdict = self._gate.judge(original, route, revocations, clock.now(), counted=again)
        if isinstance(verdict, Allow):
            session = verdict.session
            cookies: Sequence[str] = ()
            if session is not None:
                request.sid = session.sid
                cookies = self._gate.passed(original, carried, session, carries=caller.renews)
            if again:
                return _refused(original, "misasked")  # refused a moment ago: the browser need only ask again
            passed = self._passed[session.principal if session else _NOBODY]
            return passed.response(cookies, line=b"" if self._grpc else _cookies(caller, original))
        if isinstance(verdict, Prove):
            return self._after(caller, request, original, route, self._standing.proven(verdict))
        if isinstance(verdict, Challenge) or verdict.reason == "logout_in_progress":
            return self._signed_out(caller, original, verdict.reason)
        if verdict.reason in {"denied", "cross_origin"} and not again:
            self._events.denied(original, carried.session, verdict.reason, verdict.policies)
        if verdict.reason == "denied" and carried.session is not None:
            return refuse_account(
                original,
                carried.session.who[2],
                way_back=self._unauthorized.way_back(original),
                headers=((REASON, verdict.reason),),
                status=for_proxy(verdict.reason),
            )
        return _refused(original, verdict.reason)

    def _pass(self, who: Principal) -> Prepared:
        """All identity headers, the unknown ones empty, so that the caller overwrites what a client sent (rule R31)."""
        identity = identity_headers(who, self._identity, complete=True)
        headers = [(name.decode("ascii"), value.decode("ascii")) for name, value in identity]
        return Prepared(Page(200, b"", (("Cache-Control", "no-store"),)), headers)

    def _signed_out(self, caller: AskingProxy, original: RequestFacts, reason: str) -> Response:
        """Nobody is signed in. ``Location`` comes with it for people only, so that no caller has to tell them apart."""
        reason_header = (REASON, code(reason))
        if not original.navigation:
            return self._unauthorized.program(reason, headers=(reason_header,))
        start = f"{self._unauthorized.public_url}{self._unauthorized.sign_in(original)}"
        if caller.login == 302:
            return redirect(start)
        return self._unauthorized.program(reason, headers=(reason_header, ("Location", start)))


def _cookies(caller: AskingProxy, original: RequestFacts) -> bytes:
    """A line that the caller writes over the client's Cookie; empty where it asks for none."""
    if caller.kind not in TAKING_COOKIES or not original.cookies:
        return b""
    return b"Cookie: %b\r\n" % cookies_for_application(original.cookies)


def _refused(facts: RequestFacts, reason: str) -> Response:
    return refuse(facts, reason, headers=((REASON, reason),), default="misasked", status=for_proxy(reason))
