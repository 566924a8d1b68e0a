"""``/logout``, ``/logout/done/<hop>``, ``/logout/continue``, ``/logged-out`` (design section 6, rule R13)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gateway.core import clock
from gateway.core.gate import Challenge, barrier_stands
from gateway.core.http.crossing import LogoutStart, may_start_logout
from gateway.core.http.facts import RequestFacts, prefers_html
from gateway.core.http.target import way_back
from gateway.core.session.session import Session
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Cause, Chain, HopState, Interrupted
from gateway.telemetry.log import get_logger
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message, message_for
from gateway.web.pages.errors import refuse
from gateway.web.pages.offers import OWN_FORM
from gateway.web.pages.pages import HopLine, Page
from gateway.web.pages.receipt import OURS
from gateway.web.pages.respond import redirect, send
from gateway.web.query import parameter
from gateway.web.signout.hops import DONE_PREFIX, LOGGED_OUT
from gateway.web.signout.logout import ANOTHER, CONTINUE, STILL_WAITING, Logout
from gateway.web.standing import Standing

_log = get_logger("logout")

VIA_PAGE = "page"
JUST_ENDED = 60
"""Seconds after which a chain has not "just ended" any more (rule R27)."""


@dataclass(frozen=True, slots=True)
class LogoutEndpoints:
    """Everything under the reserved logout paths."""

    prefix: str
    standing: Standing
    logout: Logout

    async def start(self, request: Request, facts: RequestFacts) -> Response:
        """GET acts only as a navigation from here, POST unless another site sent it, the rest asks or refuses."""
        options = self.logout.options
        decision = may_start_logout(facts, options.public_url, cross_site=options.cross_site)
        if decision is LogoutStart.REFUSE_METHOD:
            return refuse(facts, "wrong_method", headers=(("Allow", "GET, POST"),))
        if decision is LogoutStart.REFUSE_ORIGIN:
            return refuse(facts, "cross_origin")
        target, switch = self._target(facts), self._switch(facts)
        more = f"to={target}" if target else f"switch={quote(switch, safe='/')}" if switch else ""
        if decision is LogoutStart.COME_BACK:
            return redirect(f"/logout?{more}" if more else "/logout", status=303)
        if decision is LogoutStart.CONFIRM:
            return send(pages.confirm_logout(action=f"{OWN_FORM}&{more}" if more else OWN_FORM))
        place = self._came_from(request)
        went = Interrupted(ANOTHER, switch) if switch else Interrupted("", place) if place else None
        now, cause = clock.now(), Cause(interrupted=went)
        carried, _, _ = await self.standing.read(facts, now, anyhow=True)
        if facts.method == "GET":
            return await self.logout.begin(
                carried, how="get", now=now, target=target, sent=facts.cookies, cause=cause
            )
        if _wants_json(facts):
            step, cookies = await self.logout.start(
                carried, how="post_json", now=now, target=target, sent=facts.cookies, cause=cause
            )
            return send(pages.document({"location": self.logout.location(step)}), cookies)
        if parameter(facts, "via") == VIA_PAGE:
            return await self.logout.leave(
                carried, how="post", now=now, target=target, sent=facts.cookies, cause=cause
            )
        return await self.logout.begin(
            carried, how="post", now=now, target=target, status=303, sent=facts.cookies, cause=cause
        )

    def _came_from(self, request: Request) -> str:
        """The page of the application that leads here, for "Sign in again"; empty where the browser does not say."""
        here, referer = self.logout.options.public_url, request.header(b"referer")
        return (
            way_back(referer.removeprefix(here), self.prefix) if referer.startswith(f"{here}/") else ""
        ) or ""

    async def moved(self, request: Request, facts: RequestFacts) -> Response:
        """oauth2-proxy's address; 307 keeps the method, and brings the cookies of ``Path=/logout`` (rule R18)."""
        return redirect("/logout" if facts.query is None else f"/logout?{facts.query}", status=307)

    async def done(self, request: Request, facts: RequestFacts) -> Response:
        """A hop's return address; only a document navigation counts (rule R28)."""
        hop, _, nonce = facts.path.removeprefix(DONE_PREFIX).partition("/")
        if not facts.navigation or facts.method != "GET":
            return refuse(facts, "iframe_or_prefetch", what=message("reason.iframe_or_prefetch.sign_out"))
        now = clock.now()
        carried, _, _ = await self.standing.read(facts, now, anyhow=True)
        state, from_here = parameter(facts, "state"), facts.site == "same-origin"
        return await self.logout.returned(carried, hop, nonce, state, now=now, from_here=from_here)

    async def hop(self, request: Request, facts: RequestFacts) -> Response:
        """The current hop, entered where its hint is seen, by a page that moves on (rules R18, R34)."""
        if not facts.navigation or facts.method != "GET":
            return refuse(facts, "iframe_or_prefetch")
        now = clock.now()
        carried, _, _ = await self.standing.read(facts, now, anyhow=True)
        return await self.logout.at_hop(carried, now=now)

    async def go_on(self, request: Request, facts: RequestFacts) -> Response:
        """ "Continue signing out": try the current hop again, or give it up; only the person's own click pushes."""
        if not facts.navigation or facts.method != "GET":
            return refuse(facts, "iframe_or_prefetch")
        now = clock.now()
        carried, _, _ = await self.standing.read(facts, now, anyhow=True)
        if carried.chain is None or carried.chain.closed:
            return redirect(LOGGED_OUT)
        pushed = facts.site in {None, "same-origin", "none"}
        return await self.logout.resume(carried, carried.chain, now=now, pushed=pushed)

    async def receipt(self, request: Request, facts: RequestFacts) -> Response:
        """The public page that says what was ended; it never advances or clears a chain (rule R2)."""
        now = clock.now()
        carried, state, _ = await self.standing.read(facts, now)
        chain = carried.chain
        if _wants_json(facts):
            return send(pages.document(_as_data(chain) | self.logout.signed(chain)))
        if facts.query == "waiting" and chain and not chain.closed and now < chain.deadline:
            return send(self.logout.waiting(chain, now))
        dead = isinstance(state, Challenge) and carried.session is not None
        if chain is None and (dead or facts.query == "waiting"):
            return send(self._ended(state, self._start(request), now))
        options = self.logout.options
        page = pages.signed_out(
            hops=self._lines(chain),
            durable=chain.durable if chain else True,
            finished=bool(chain and chain.closed),
            sign_in_url=_sign_in_url(chain, self._start(request)),
            why=message_for("ended", chain.reason, "by_provider") if chain and chain.reason else "",
            retry_action=OWN_FORM,
            resume_url=CONTINUE if chain and not chain.closed else None,
            target_url=options.targets.get(chain.target) if chain else None,
            behind=options.behind,
            status=pages.stands_in(chain.reason) if chain else 200,
        )
        ended = chain is not None and chain.closed and now - chain.closed <= JUST_ENDED
        clear = ", ".join(f'"{kind}"' for kind in options.clear_site_data)
        return send(page, headers=(("Clear-Site-Data", clear),) if ended and clear else ())

    def _start(self, request: Request) -> str:
        """Where sign-in begins, for a tab that has just left the application (`tab.js`)."""
        place = self._came_from(request)
        return f"{self.prefix}/start?rd={quote(place, safe='/')}" if place else f"{self.prefix}/start"

    def _ended(self, state: Session | Challenge, start: str, now: int) -> Page:
        """For a tab whose session has ended, while this browser knows of no sign-out."""
        reason = state.reason if isinstance(state, Challenge) else "signed_in_anew"
        if isinstance(state, Challenge) and barrier_stands(state, None, self.standing.rules, now):
            # Another tab is signing out, and the answer that says so is still on its way to this browser.
            return pages.waiting(resume_url="/logout", hop_label="", seconds=2, refresh_url=STILL_WAITING)
        return pages.session_ended(reason=reason, sign_in_url=start)

    def _target(self, facts: RequestFacts) -> str:
        """The configured name in ``?to=``, never a URL from the request; an unknown one keeps nobody signed in."""
        wanted = parameter(facts, "to") or ""
        if wanted and wanted not in self.logout.options.targets:
            _log.warning("unknown_logout_target", fix="use a name from logout.targets as `to`")
            return ""
        return wanted

    def _switch(self, facts: RequestFacts) -> str:
        """Where somebody wants to go on with another account (``?switch=``); empty where nobody does."""
        wanted = parameter(facts, "switch")
        return "" if wanted is None else way_back(wanted, self.prefix) or "/"

    def _lines(self, chain: Chain | None) -> list[HopLine]:
        if chain is None:
            return []
        status = chains.RETURNED if chain.had_session else chains.SKIPPED
        return [
            HopLine(OURS, message("page.this_application"), status, chain.started),
            *(
                HopLine(
                    hop.name,
                    self.logout.hops.label(hop.name),
                    hop.status,
                    hop.at or None,
                    hop.evidence,
                    hop.asked,
                )
                for hop in self.logout.hops.effective(chain)
            ),
        ]


def _sign_in_url(chain: Chain | None, start: str) -> str:
    """Where sign-in begins, from where this tab was if that is known, or goes on that the chain has interrupted.

    Where somebody wanted to go without having signed out stands in it too, for `place.js`; what was open when somebody
    signed out does not.
    """
    went = chain.interrupted if chain is not None else None
    if chain is None or went is None or (not went.attempt and "?" in start):
        return start
    wanted = f"&rd={quote(went.rd, safe='/')}" if chain.reason and not went.attempt else ""
    return f"{start}?after={went.attempt}{wanted}"


def _wants_json(facts: RequestFacts) -> bool:
    return "application/json" in facts.accept and not prefers_html(facts.accept)


def _as_data(chain: Chain | None) -> dict[str, object]:
    hops = chain.hops if chain else ()
    return {
        "hops": [_hop_as_data(hop) for hop in hops],
        "durable": chain.durable if chain else True,
        "finished": bool(chain and chain.closed),
    }


def _hop_as_data(hop: HopState) -> dict[str, object]:
    """`Evidence` and `Asked` as they are: what a program goes by is not to change with the words on the page."""
    asked = {"asked": hop.asked} if hop.asked else {}
    return {"hop": hop.name, "status": hop.status, "at": hop.at or None, "evidence": hop.evidence, **asked}
