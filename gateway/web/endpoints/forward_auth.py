"""``/oauth2/auth``: a proxy in front asks whether a request may pass (rules R7 and R10).

The verdict is that of the gate; only its words differ. 200 is a pass and nothing else is. The session is neither
refreshed nor sealed anew, and no cookie is set, because not every caller hands cookies on.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core import clock
from gateway.core.errors import DownstreamError
from gateway.core.facts import DoorRules, RequestFacts
from gateway.core.forwarded import original_facts
from gateway.core.gate import Allow, Challenge, Verdict
from gateway.core.identity_headers import identity_headers
from gateway.core.session import Principal, Session
from gateway.telemetry.log import get_logger
from gateway.web import pages
from gateway.web.errors import ANSWERS, Answer, refuse
from gateway.web.gate import Gate
from gateway.web.messages import Request, Response
from gateway.web.pages import Page
from gateway.web.respond import redirect, send
from gateway.web.session import Carried
from gateway.web.trail import Trail
from gateway.web.upstream import Forwarder

REASON = "X-Gateway-Reason"
"""On every answer but 200: the stable code, for proxies that write answers of their own."""

_NOBODY = Principal(issuer="", subject="", user="")
_MISASKED = Answer(
    403,
    "This request could not be checked",
    "The proxy in front of the gateway did not say what was asked for in a way that can be trusted.",
    "Operators: the gateway's log names the reason.",
)
_log = get_logger("forward_auth")


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """Answers the questions of one proxy.

    :ivar caller: its kind. :ivar login: 401, or 302 for callers that hand a redirect on to the browser.
    :ivar rules: hosts that may be asked about, and who may ask.
    """

    caller: str
    login: int
    rules: DoorRules
    gate: Gate
    forwarder: Forwarder
    trail: Trail

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """200 with every identity header, 401 (or 302), 403; 503 while the revocation log is stale."""
        try:
            original = original_facts(self.caller, request.headers, request.peer, self.rules)
            route = self.forwarder.route_for(original.path)
        except DownstreamError as error:
            _log.warning("forward_auth_refused", code=error.code, detail=error.detail, peer=request.peer)
            return _forbidden(facts, error.code)
        request.route = route.path
        if original.preflight:  # rule R8: never handed on, and no caller could relay an answer of ours
            return _forbidden(original, "cross_origin")
        carried, verdict = await self.gate.ask(original, route, clock.now())
        return self._answer(request, original, carried, verdict)

    def _answer(
        self, request: Request, original: RequestFacts, carried: Carried, verdict: Verdict
    ) -> Response:
        if isinstance(verdict, Allow):
            if verdict.session is not None:
                request.sid = verdict.session.sid
            return self._allowed(verdict.session)
        if isinstance(verdict, Challenge):
            return self._unauthorized(original, "login_required", self.gate.login_required(verdict.reason))
        if verdict.reason == "logout_in_progress":
            return self._unauthorized(original, verdict.reason, self.gate.signing_out())
        if verdict.reason == "state_stale":
            return refuse(original, verdict.reason, headers=((REASON, verdict.reason),))
        if verdict.reason in {"denied", "cross_origin"}:
            self.trail.denied(original, carried.session, verdict.reason, verdict.policies)
        return _forbidden(original, verdict.reason)

    def _allowed(self, session: Session | None) -> Response:
        """All identity headers, the unknown ones empty, so that the caller overwrites what a client sent (rule R31)."""
        who = _NOBODY if session is None else session.principal
        identity = identity_headers(who, self.gate.options.identity, complete=True)
        headers = [(name.decode("ascii"), value.decode("ascii")) for name, value in identity]
        return send(Page(200, b"", (("Cache-Control", "no-store"),)), headers=headers)

    def _unauthorized(self, original: RequestFacts, reason: str, page: Page) -> Response:
        """Nobody is signed in. ``Location`` comes with it for people only, so that no caller has to tell them apart."""
        if not original.navigation:
            return send(page, headers=((REASON, reason),))
        start = f"{self.gate.options.public_url}{self.gate.start_path(original)}"
        if self.login == 302:
            return redirect(start)
        return send(page, headers=((REASON, reason), ("Location", start)))


def _forbidden(facts: RequestFacts, reason: str) -> Response:
    """403 whatever the reason is: callers take other refusals for errors (protocol facts D.1)."""
    answer = ANSWERS.get(reason, _MISASKED)
    what, mend = answer.what or _MISASKED.what, answer.mend or _MISASKED.mend
    if facts.wants_page:
        page = pages.error(status=403, title=answer.title, what=what, mend=mend, code=reason)
    else:
        page = pages.problem(status=403, code=reason, title=answer.title, detail=f"{what} {mend}")
    return send(page, headers=((REASON, reason),))
