"""What is known before anything is decided, whether by the gate or by an endpoint of ours: the log in step, what the
browser carries, and whether its session lives.
"""

from __future__ import annotations

from gateway.core import clock
from gateway.core.errors import StateError
from gateway.core.gate import SESSIONS_AWAY, Challenge, GateRules, Prove, Revocations, session_state, unseen
from gateway.core.http.facts import RequestFacts
from gateway.core.session.session import Session
from gateway.proxy.live import REVOKED
from gateway.state.contract.log import RevocationLog, in_step
from gateway.web.session.session import Carried, Sessions


class Standing:
    """Asks log and sessions; decides nothing about requests."""

    def __init__(self, rules: GateRules, *, sessions: Sessions, log: RevocationLog) -> None:
        self.rules = rules
        self._sessions = sessions
        self._remote = sessions.remote
        self._log = log

    def waits(self, facts: RequestFacts) -> bool:
        """Whether :meth:`caught_up` has to be awaited before anything is decided: the log has moved, or the session is
        not at hand.
        """
        return self._log.moved() or (self._remote and self._sessions.waits(facts, clock.now()))

    async def caught_up(self, facts: RequestFacts) -> Revocations:
        """The index in step with the log, and the browser's session at hand."""
        if self._remote:
            await self._sessions.fetch(facts.cookies, clock.now())
        await in_step(self._log)
        return self.revocations()

    def revocations(self) -> Revocations:
        """The same, where nothing has to be waited for."""
        return Revocations(self._log.index, self._log.log_id, self._log.age(), self._log.gaps)

    async def proven(self, proof: Prove) -> Revocations:
        """The index, after the log was asked for a position that the index lacks (rule R4)."""
        await self._log.prove(proof.position)
        revocations = self.revocations()
        revocations.asked = True
        return revocations

    async def read(
        self, facts: RequestFacts, now: int, *, anyhow: bool = False
    ) -> tuple[Carried, Session | Challenge, Revocations]:
        """What the browser carries and whether its session lives, for our own endpoints.

        :param anyhow: also where its session cannot be looked up.
        :raises StateError: it cannot.
        """
        revocations = await self.caught_up(facts)
        carried = self._sessions.carried(facts.cookies, now)
        if (proof := unseen(carried.session, carried.chain, revocations)) is not None:
            revocations = await self.proven(proof)
        state = self.state(carried, revocations, now)
        if not anyhow and isinstance(state, Challenge) and state.reason == SESSIONS_AWAY:
            raise StateError(SESSIONS_AWAY)
        return carried, state, revocations

    def state(self, carried: Carried, revocations: Revocations, now: int) -> Session | Challenge:
        """The session that is carried, if it lives."""
        return session_state(carried.session, revocations, self.rules, now, carried.chain)

    def lives(self, session: Session) -> bool:
        """Whether it does now, as far as the index has read the log."""
        return isinstance(session_state(session, self.revocations(), self.rules, clock.now()), Session)

    def why_closed(self, session: Session) -> str | None:
        """The reason to end a session's live connections, None while it lives. Being idle is none, for a connection
        knows nothing of its browser (``web/session/idle.py``); the absolute end has a timer (``forward/``).
        """
        if session.log_id != self._log.log_id and not self.rules.accept_log_loss:
            return "log_lost"
        return None if self._log.index.ended_by(session) is None else REVOKED
