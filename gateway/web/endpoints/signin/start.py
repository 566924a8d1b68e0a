"""``/oauth2/start?rd=/path``: begin a login (pains P11, P13, P22; rules R1, R33, R35)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from gateway.core import clock, dice
from gateway.core.errors import ProviderError
from gateway.core.gate import Revocations
from gateway.core.http.crossing import led_here
from gateway.core.http.facts import RequestFacts
from gateway.core.http.link_previews import looks_ahead
from gateway.core.session.attempt import ATTEMPT_ID, Attempt, log_tag, looping
from gateway.core.session.session import Session
from gateway.core.signout.chain import Chain, Interrupted
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.pkce import code_challenge
from gateway.web.endpoints.signin.landing import onward
from gateway.web.messages import Request, Response
from gateway.web.pages import pages
from gateway.web.pages.catalogue import message, message_for
from gateway.web.pages.errors import refuse, refuse_error
from gateway.web.pages.pages import Offer
from gateway.web.pages.respond import redirect, send
from gateway.web.query import parameter, way_back
from gateway.web.session.attempts import Attempts
from gateway.web.session.session import Carried
from gateway.web.signout.logout import ANOTHER, Logout
from gateway.web.signout.session_events import SessionEvents
from gateway.web.standing import Standing


@dataclass(frozen=True, slots=True)
class Start:
    """Begins logins."""

    public_url: str
    prefix: str
    standing: Standing
    logout: Logout
    attempts: Attempts
    provider: IdentityProvider
    events: SessionEvents

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """A page that keeps the fragment and goes on, or 302 for clients that send no Sec-Fetch-Mode.

        ``again``: a callback has led here, which it does once; the mark of one that nobody had asked for has to be
        among the cookies. ``earlier``: the attempt for which this tab keeps a fragment, or a long way back.
        """
        if facts.in_no_tab:
            return refuse(facts, "iframe_or_prefetch")
        if looks_ahead(request.header(b"user-agent")):
            return send(pages.looked_at(url=facts.raw_target))
        now = clock.now()
        carried, state, revocations = await self.standing.read(facts, now)
        went = _interrupted(facts, carried.chain)
        rd = (went.rd or "/") if went else way_back(facts, self.public_url, self.prefix)
        if revocations.age == float("inf"):
            return refuse(facts, "state_stale")
        led = went.led if went else led_here(facts)
        first = await self.logout.before_sign_in(carried, state, Interrupted("", rd, led), now=now)
        if first is not None:
            return first
        earlier = parameter(facts, "earlier") or ""
        earlier = earlier if ATTEMPT_ID.fullmatch(earlier) and facts.mode is not None else ""
        if isinstance(state, Session):
            where = onward(self.prefix, rd) if led else rd
            return send(pages.landing(target=where, attempt=earlier)) if earlier else redirect(rd)
        if looping(self.attempts.all(carried.cookies, now), now):
            again = f"{self.prefix}/start?rd={quote(rd, safe='/')}"
            self.events.login_failed("login_loop", "", facts.client)
            return send(pages.login_loop(sign_in_url=again), self._forget(carried, now))
        # What the lost log had ended is not known any more, so that log's sessions are asked for credentials too (R4).
        prompt = "login" if carried.chain is not None or state.reason == "log_lost" else ""
        if went is not None and went.attempt == ANOTHER:
            prompt = "select_account"
        again = parameter(facts, "again") or ""
        if ATTEMPT_ID.fullmatch(again) and self.attempts.find(carried.cookies, again, now) is None:
            self.events.login_failed("cookies_blocked", "", facts.client)
            return send(pages.cookies_blocked(sign_in_url=f"{self.prefix}/start"))
        attempt = self._attempt(carried.chain, revocations, now, prompt=prompt)
        attempt = replace(attempt, rd=rd, led=led, restarted=bool(again))
        return await self._begin(facts, carried, attempt, went, earlier, now)

    def _attempt(self, chain: Chain | None, revocations: Revocations, now: int, *, prompt: str) -> Attempt:
        here = chain if chain is not None and chain.log_id == revocations.log_id else None
        return Attempt(
            secret=dice.token(16),
            started=now,
            rd="",
            after=here.position if here else 0,
            after_time=chain.closed if chain else 0,
            seen=revocations.index.position,
            log=log_tag(revocations.log_id),
            prompt=prompt,
            # A sign-in was interrupted because nobody knew whether the person had been asked; now they have to be.
            max_age=0 if chain is not None and chain.reason and _unasked(chain.interrupted) else None,
        )

    async def _begin(
        self,
        facts: RequestFacts,
        carried: Carried,
        attempt: Attempt,
        went: Interrupted | None,
        earlier: str,
        now: int,
    ) -> Response:
        script = facts.mode is not None
        begun = self.attempts.store(attempt, carried.cookies, now, script=script)
        try:
            url = await self.provider.authorization_url(
                state=begun.state,
                nonce=attempt.nonce,
                code_challenge=code_challenge(attempt.code_verifier),
                redirect_uri=f"{self.public_url}{self.prefix}/callback",
                prompt=attempt.prompt,
                max_age=attempt.max_age,
            )
        except ProviderError as error:
            self.events.login_failed(error.code, error.detail, facts.client)
            again = f"{self.prefix}/start?rd={quote(attempt.rd or '/', safe='/')}"
            return refuse_error(facts, error, offers=(Offer(message("page.try_again"), again),))
        if not script:
            return redirect(url, cookies=begun.cookies)
        where = {"authorize_url": url, "attempt": attempt.attempt_id, "rd": begun.waiting}
        if went is None or carried.chain is None or went.attempt in {"", ANOTHER}:
            return send(pages.start(**where, earlier=earlier), begun.cookies)
        why = message_for("ended", carried.chain.reason, "by_provider")
        return send(pages.once_more(**where, earlier=went.attempt, why=why), begun.cookies)

    def _forget(self, carried: Carried, now: int) -> list[str]:
        """The loop page ends the count, so that its button starts afresh."""
        found = self.attempts.all(carried.cookies, now)
        return [line for attempt in found for line in self.attempts.clear(attempt.attempt_id)]


def _unasked(went: Interrupted | None) -> bool:
    """Whether the person has to be asked: not where they want to be somebody else, and a choice is enough."""
    return went is not None and went.attempt != ANOTHER


def _interrupted(facts: RequestFacts, chain: Chain | None) -> Interrupted | None:
    """The sign-in that the chain in this browser has interrupted and now sends here to go on, None for any other."""
    went = chain.interrupted if chain is not None and chain.closed else None
    return went if went is not None and parameter(facts, "after") == went.attempt else None
