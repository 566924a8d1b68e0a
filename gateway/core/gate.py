"""The gate: facts, session, policy and revocations give a verdict. Reverse proxy, forward-auth and ``policy explain``
all ask here, and nowhere else is a request let through (design section 2).

The order of the questions matters. A stale index comes first: with it nothing can be known (rule R5). Then whether a
cookie of ours has seen more of the log than the index has, which has to be looked into first (rule R4). Then the
session's own life, then what has been revoked since, then the barrier, then where the request comes from, and the
policy last, so that a policy can only ever narrow what a live session may do, or open a route to ``Anonymous``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.http.crossing import crosses_origin, names_origin
from gateway.core.http.facts import RequestFacts
from gateway.core.http.routes import Route
from gateway.core.http.target import has_encoded_slash
from gateway.core.policy.policy_set import PolicyVerdict
from gateway.core.session.session import (
    Life,
    Principal,
    Session,
    SessionLimits,
    SessionOrHusk,
    absolute_deadline,
    life,
)
from gateway.core.signout.chain import Chain, ChainLimits
from gateway.core.signout.log_extent import Gap, lacks
from gateway.core.signout.revocation import Entry, RevocationIndex

SESSIONS_AWAY = "sessions_away"
"""The reason where a browser has a ticket and its session cannot be asked for: neither signed in nor out."""


class Authorizer(Protocol):
    """What the gate needs of a policy set; ``core/policy/policy_set.py`` is the one there is."""

    def decide(
        self, *, principal: Principal | None, method: str, route: str, host: str, path: str, client: str,
        now: int, generation: int = 0,
    ) -> PolicyVerdict: ...  # fmt: skip


@dataclass(slots=True)
class Revocations:
    """The revocation index and how far it can be believed. Not frozen, like `Allow`, for that costs a call for each
    field, and one of each is made for every request.

    :ivar age: seconds since it was last in step with the log; infinite when it was never loaded.
    :ivar gaps: positions that the log has never given. :ivar asked: the log was asked for what this browser has seen.
    """

    index: RevocationIndex
    log_id: str
    age: float
    gaps: Sequence[Gap] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True)
class GateRules:
    """What the operator decided.

    :ivar origins: ``public_url`` and ``allowed_origins``. :ivar max_staleness: seconds (rule R5).
    :ivar accept_log_loss: ``state_loss: accept``; sessions of another log stay (rule R4).
    """

    session: SessionLimits
    chain: ChainLimits
    origins: frozenset[str]
    max_staleness: float = 300
    accept_log_loss: bool = False


@dataclass(slots=True)
class Allow:
    """Let it through; ``session`` is None for a route open to ``Anonymous``."""

    session: Session | None
    policies: Collection[str]


@dataclass(frozen=True, slots=True)
class Challenge:
    """Nobody is signed in. ``revoked`` is the entry that ended the session the browser still carries (rule R1)."""

    reason: str
    revoked: Entry | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """Not this one, and signing in would not help. ``reason`` is turned into HTTP in ``web/pages/errors.py``."""

    reason: str
    policies: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Prove:
    """What the browser carries was sealed by somebody who had read the log up to ``position``, and the index has not.

    Either it is behind, or the log is an older copy: the log has to be asked, and then this again.
    """

    position: int


Verdict = Allow | Challenge | Deny | Prove


def unseen(session: SessionOrHusk | None, chain: Chain | None, revocations: Revocations) -> Prove | None:
    """Whether something sealed proves that the index lacks a part of the log, before the log was asked."""
    if revocations.asked:
        return None
    end, log_id, gaps = revocations.index.position, revocations.log_id, revocations.gaps
    if session is not None and session.log_id == log_id and lacks(session.seen, end, gaps):
        return Prove(session.seen)
    if chain is not None and chain.log_id == log_id and lacks(chain.position, end, gaps):
        return Prove(chain.position)
    return None


def session_state(
    session: SessionOrHusk | None,
    revocations: Revocations,
    rules: GateRules,
    now: int,
    chain: Chain | None = None,
) -> Session | Challenge:
    """The session if it lives at ``now``, else why it does not.

    :param chain: the latest logout in the browser that carries the session.
    """
    if session is None:
        return Challenge("login_required")
    if session.log_id != revocations.log_id and not rules.accept_log_loss:
        return Challenge("log_lost")
    lives = life(session, rules.session, now)
    if lives is not Life.FRESH:
        return Challenge(lives.value)
    if revocations.index.forgotten > now and revocations.index.may_be_forgotten(
        absolute_deadline(session, rules.session)
    ):
        return Challenge(Life.ABSOLUTE_EXPIRED.value)
    ended = revocations.index.ended_by(session)
    if ended is not None:
        return Challenge("revoked", ended)
    if chain is not None and chain.supersedes(session.login_at):
        return Challenge("signed_out")
    if isinstance(session, Session):
        return session
    return Challenge(SESSIONS_AWAY if session.away else "login_required")


def decide(
    facts: RequestFacts,
    session: SessionOrHusk | None,
    route: Route,
    policy: Authorizer,
    revocations: Revocations,
    rules: GateRules,
    *,
    now: int,
    chain: Chain | None = None,
) -> Verdict:
    """Whether this request may reach ``route``.

    :param session: what the cookie said, still unchecked. :param chain: the logout under way in this browser.
    """
    undecided = _undecidable(session, route, revocations, rules, chain)
    if undecided is not None:
        return undecided
    if has_encoded_slash(facts.raw_path) and not route.encoded_slashes:
        return Deny("encoded_slash")
    state = session_state(session, revocations, rules, now, chain)
    if isinstance(state, Challenge):
        if barrier_stands(state, chain, rules, now):
            return Deny("logout_in_progress")
        if state.reason == SESSIONS_AWAY:
            return Deny(SESSIONS_AWAY)
    live = state if isinstance(state, Session) else None
    if live is not None and crosses_origin(facts, rules.origins):
        return Deny("cross_origin")
    decision = policy.decide(
        principal=live.principal if live else None,
        method=facts.method,
        route=route.path,
        host=facts.host,
        path=facts.path.casefold() if route.insensitive else facts.path,
        client=facts.client,
        now=now,
        generation=live.generation if live else 0,
    )
    if decision.allowed:
        # A route open to Anonymous is still no target for other sites; callers that are no browsers name none.
        foreign = live is None and names_origin(facts) and crosses_origin(facts, rules.origins)
        return Deny("cross_origin") if foreign else Allow(live, decision.policies)
    if decision.code in {"unknown_method", "policy_error"}:
        return Deny(decision.code)
    if isinstance(state, Challenge):
        return state
    return Deny("denied", decision.policies)


def _undecidable(
    session: SessionOrHusk | None,
    route: Route,
    revocations: Revocations,
    rules: GateRules,
    chain: Chain | None,
) -> Deny | Prove | None:
    """Why nothing can be said on the ground of this index."""
    if revocations.age > rules.max_staleness and (
        route.when_stale != "serve" or revocations.age == float("inf")
    ):
        return Deny("state_stale")
    return unseen(session, chain, revocations)


def barrier_stands(state: Challenge, chain: Chain | None, rules: GateRules, now: int) -> bool:
    """Whether a logout is under way for this browser (rule R2).

    The chain's cookie says so, and a cookie that was ended by a logout says so too, unless the chain of this browser
    was closed after it.
    """
    if chain is not None:
        return chain.barrier_stands(rules.chain, now)
    ended = state.revoked
    return ended is not None and ended.barrier is not None and now < ended.barrier
