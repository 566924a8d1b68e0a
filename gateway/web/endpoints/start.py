"""``/oauth2/start?rd=/path``: begin a login (pains P11, P13, P22; rules R1, R33, R35)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from gateway.core import clock, dice
from gateway.core.attempt import Attempt, looping
from gateway.core.crossing import led_here
from gateway.core.errors import ProviderError
from gateway.core.facts import RequestFacts
from gateway.core.session import Session
from gateway.idp.provider import IdentityProvider
from gateway.oidc.pkce import code_challenge
from gateway.web import pages
from gateway.web.attempts import Attempts
from gateway.web.errors import refuse, refuse_error
from gateway.web.gate import Gate
from gateway.web.logout import Logout
from gateway.web.messages import Request, Response
from gateway.web.query import parameter, way_back
from gateway.web.respond import redirect, send
from gateway.web.session import Carried

LOOP_CAUSE = (
    "Most often the browser drops our cookie, the clock of this computer is wrong, "
    "or the address in the browser is not the one the site is configured for."
)


@dataclass(frozen=True, slots=True)
class Start:
    """Begins logins."""

    public_url: str
    prefix: str
    gate: Gate
    logout: Logout
    attempts: Attempts
    provider: IdentityProvider

    async def __call__(self, request: Request, facts: RequestFacts) -> Response:
        """A page that keeps the fragment and goes on, or 302 for clients that send no Sec-Fetch-Mode."""
        if facts.prefetch or (facts.mode is not None and not facts.navigation):
            return refuse(facts, "iframe_or_prefetch")
        rd = way_back(facts, self.public_url, self.prefix)
        now = clock.now()
        carried, state, revocations = await self.gate.read(facts, now)
        if revocations.age == float("inf"):
            return refuse(facts, "state_stale")
        first = await self.logout.before_sign_in(carried, state, now=now)
        if first is not None:
            return first
        if isinstance(state, Session):
            return redirect(rd)
        if looping(self.attempts.all(carried.cookies, now), now):
            again = f"{self.prefix}/start?rd={quote(rd, safe='/')}"
            return send(pages.login_loop(cause=LOOP_CAUSE, sign_in_url=again), self._forget(carried, now))
        # What the lost log had ended is not known any more, so that log's sessions are asked for credentials too (R4).
        prompt = "login" if carried.chain is not None or state.reason == "log_lost" else None
        return await self._begin(facts, carried, rd, now, log_id=revocations.log_id, prompt=prompt)

    async def _begin(
        self, facts: RequestFacts, carried: Carried, rd: str, now: int, *, log_id: str, prompt: str | None
    ) -> Response:
        chain = carried.chain
        attempt = Attempt(
            secret=dice.token(16),
            started=now,
            rd=rd,
            after=chain.position if chain and chain.log_id == log_id else 0,
            after_time=chain.closed if chain else 0,
            restarted=parameter(facts, "again") is not None,
            led=led_here(facts),
        )
        try:
            url = await self.provider.authorization_url(
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=code_challenge(attempt.code_verifier),
                redirect_uri=f"{self.public_url}{self.prefix}/callback",
                prompt=prompt,
            )
        except ProviderError as error:
            return refuse_error(facts, error)
        script = facts.mode is not None
        cookies, waiting = self.attempts.store(attempt, carried.cookies, now, script=script)
        if script:
            return send(pages.start(authorize_url=url, attempt=attempt.attempt_id, rd=waiting), cookies)
        return redirect(url, cookies=cookies)

    def _forget(self, carried: Carried, now: int) -> list[str]:
        """The loop page ends the count, so that its button starts afresh."""
        found = self.attempts.all(carried.cookies, now)
        return [line for attempt in found for line in self.attempts.clear(attempt.attempt_id)]
