"""The logout chain: a table-driven machine that walks the browser through its hops (design section 6, rule R3).

Theory. The gateway's own session is dead before the chain begins. The chain is a list of hops, each an identity
provider whose own session in this browser only this browser can end. The gateway is the return address of every hop,
so a hop is *returned* when the browser comes back from it, never because we sent it there (rule R28).

A hop that does not return strands the browser at the provider, or the tab was closed. The next navigation to the
gateway finds the chain in its cookie. Until the hop's deadline it waits (another tab may be walking the chain right
now); after it the hop is tried once more; after a second deadline the hop is *failed* and the chain goes on. So a
broken hop locks nobody out, and nothing is claimed that was not seen.

================  =====================  =========================  ==========================
current hop       its return             a navigation               "continue signing out"
================  =====================  =========================  ==========================
first try         returned, next hop     before deadline: wait;     second try
                                         after: second try
second try        returned, next hop     before deadline: wait;     failed, next hop; at once
                                         after: failed, next hop    after being sent: sent again
none (closed)     nothing                done                       done
================  =====================  =========================  ==========================

The return of any other hop changes nothing, and so does what other sites make the browser ask for. A hop that has
nothing to ask of the browser (no address there, no hint to name the session by) is settled where it stands, with the
reason, and the chain goes on.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from gateway.core.session.sealed_format import Format
from gateway.core.signout.evidence import ENDED, Asked, Evidence
from gateway.core.signout.revocation import UNPLACED, Entry

PENDING, RETURNED, SKIPPED, FAILED = "pending", "returned", "skipped", "failed"
TRIES = 2
LONGEST_WAY_BACK = 300
"""Letters that have room in the chain's cookie; attempts with more come from clients that run no script."""
DOUBLE_CLICK = 3
"""Seconds within which a second "continue" is an impatient click and not a verdict on the hop."""


@dataclass(frozen=True, slots=True)
class HopState:
    """How far one hop is.

    :ivar at: seconds, 0 while pending. :ivar evidence: one of `Evidence`, or what another version has sealed.
    :ivar asked: one of `Asked`, how the browser was sent there the last time.
    """

    name: Annotated[str, "n"]
    status: Annotated[str, "s"] = PENDING
    at: Annotated[int, "t"] = 0
    evidence: Annotated[str, "e"] = ""
    tries: Annotated[int, "r"] = 0
    asked: Annotated[str, "a"] = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class ChainLimits:
    """Seconds: how long a hop may take, and how long no login may start (rule R3)."""

    hop_deadline: int
    barrier: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The sign-in that a logout has interrupted (rule R1), and that goes on after it.

    :ivar attempt: its id, under which the tab keeps a fragment or a long way back. Empty where it had not begun yet:
        then the receipt comes first, for a session of this browser was ended, and its button leads on. No id where
        somebody has asked for another account.
    :ivar rd: the way back; empty where it is not known, or too long. :ivar led: another site began it.
    """

    attempt: Annotated[str, "a"] = ""
    rd: Annotated[str, "d"] = ""
    led: Annotated[bool, "o"] = False
    more: str = ""

    def __post_init__(self) -> None:
        if len(self.rd) > LONGEST_WAY_BACK:
            object.__setattr__(self, "rd", "")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a chain is walked, where nobody has signed out: an entry has ended what this browser has, or may get.

    :ivar reason: of that entry. :ivar who: it is about: no mark of a session, the subject and the user; None where the
        session in the browser says so. :ivar interrupted: the sign-in to go on with after it, None where there is none.
    """

    reason: str = ""
    who: tuple[str | None, str, str] | None = None
    interrupted: Interrupted | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A logout in one browser.

    :ivar started: seconds. :ivar index: the current hop. :ivar deadline: seconds, of the current hop.
    :ivar target: name of a configured place to go on to, or empty.
    :ivar closed: seconds, when the last hop was done; 0 while under way.
    :ivar durable: whether the log has the revocation. :ivar had_session: whether there was a session of ours to end.
    :ivar who: of that session its mark in logs, its subject and its user, for the receipt; no mark where none was.
    :ivar nonce: what only this browser knows of this chain, and the providers learn a part of each; see `return_nonce`.
    :ivar position: log position at closing (rule R1). :ivar log_id: of the log that the position is in.
    :ivar sid: the session that was ended: a hint of another one is none of this chain (rule R18).
    :ivar reason: of the entry that made the chain necessary; empty where somebody has signed out.
    :ivar interrupted: the sign-in to go on with, None where there is none.
    :ivar names: of its user, as `hop_name` has them, that at the provider itself first; empty where nobody asks.
    :ivar marked: seconds, when the log was told of all of them that the browser is sent there.
    """

    started: Annotated[int, "t"]
    hops: Annotated[tuple[HopState, ...], "h"]
    index: Annotated[int, "i"]
    deadline: Annotated[int, "d"]
    target: Annotated[str, "g"] = ""
    closed: Annotated[int, "c"] = 0
    durable: Annotated[bool, "u"] = True
    who: Annotated[tuple[str | None, str, str] | None, "w"] = field(default=None, kw_only=True)
    names: Annotated[tuple[str, ...], "n"] = field(default=(), kw_only=True)
    marked: Annotated[int, "m"] = field(default=0, kw_only=True)
    had_session: Annotated[bool, "b"] = True
    nonce: Annotated[str, "k"] = ""
    position: Annotated[int, "p"] = 0
    log_id: Annotated[str, "l"] = ""
    sid: Annotated[str, "s"] = ""
    reason: Annotated[str, "y"] = field(default="", kw_only=True)
    interrupted: Annotated[Interrupted | None, "j"] = field(default=None, kw_only=True)
    more: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not self.closed and not 0 <= self.index < len(self.hops):
            raise ValueError("a logout chain without a current hop")

    @property
    def current(self) -> HopState | None:
        return None if self.closed else self.hops[self.index]

    def return_nonce(self, hop: str) -> str:
        """What proves a return from ``hop`` in this very chain (rule R28); no other hop's provider can work it out.

        22 letters of base64url: Okta takes no other characters in ``state``.
        """
        digest = hashlib.sha256(f"{self.nonce}/{hop}".encode()).digest()
        return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()

    def has_ended(self, hop: str) -> bool:
        """Whether the session at ``hop`` is known to be over."""
        return any(each.name == hop and each.evidence in ENDED for each in self.hops)

    def asked_of(self, hop: str) -> str:
        """How ``hop`` was asked the last time; empty when it was not, or is none of this chain."""
        return next((each.asked for each in self.hops if each.name == hop), "")

    def barrier_stands(self, limits: ChainLimits, now: int) -> bool:
        """Whether no login may start in this browser, whatever asks for it."""
        return not self.closed and now < self.started + limits.barrier

    def supersedes(self, login_at: int) -> bool:
        """Whether a session of this browser that began at ``login_at`` is one that this logout was meant to end.

        A callback that was under way when the logout began may still have set its cookie after it (rule R2).
        """
        return login_at <= self.started

    def answers(self, entry: Entry, log_id: str) -> bool:
        """Whether this logout was complete after ``entry`` ended what it ended (rule R1).

        An entry that the log has not taken yet has no position; its time is this host's own.
        """
        if not self.closed:
            return False
        if entry.position == UNPLACED:
            return self.closed >= (entry.event_time or 0)
        return self.log_id == log_id and self.position >= entry.position


@dataclass(frozen=True, slots=True)
class Go:
    """Send the browser to the current hop of ``chain``."""

    chain: Chain


@dataclass(frozen=True, slots=True)
class Wait:
    """Show the waiting page; the current hop may return within ``seconds``."""

    chain: Chain
    seconds: int


@dataclass(frozen=True, slots=True)
class Done:
    """Every hop is settled: on to the receipt."""

    chain: Chain


Step = Go | Wait | Done


def begin(
    hops: Sequence[str],
    limits: ChainLimits,
    *,
    now: int,
    target: str = "",
    durable: bool = True,
    had_session: bool = True,
    nonce: str = "",
    sid: str = "",
    cause: Cause = Cause(),
) -> Go | Done:
    """A new chain at its first hop; done at once when there is none."""
    chain = Chain(
        started=now,
        hops=tuple(HopState(hop) for hop in hops),
        index=0,
        deadline=0,
        closed=0 if hops else now,
        target=target,
        durable=durable,
        had_session=had_session,
        nonce=nonce,
        sid=sid,
        who=cause.who,
        reason=cause.reason,
        interrupted=cause.interrupted,
    )
    return _enter(chain, 0, limits, now)


def returned(chain: Chain, hop: str, evidence: Evidence, limits: ChainLimits, *, now: int) -> Step | None:
    """The browser came back from ``hop``; None when that is not the current hop, and nothing changes."""
    current = chain.current
    if current is None or current.name != hop:
        return None
    return settled(chain, RETURNED, evidence, limits, now=now)


def resumed(chain: Chain, limits: ChainLimits, *, now: int, pushed: bool = False) -> Step:
    """A navigation came while the chain stands; ``pushed`` when the person asked to continue."""
    current = chain.current
    if current is None:
        return Done(chain)
    if now < chain.deadline and not pushed:
        return Wait(chain, chain.deadline - now)
    if current.tries < TRIES:
        return _try(chain, limits, now)
    sent = chain.deadline - limits.hop_deadline
    if now < min(chain.deadline, sent + DOUBLE_CLICK):
        return Go(chain)
    return settled(chain, FAILED, Evidence.NO_RETURN, limits, now=now)


def settled(chain: Chain, status: str, evidence: Evidence, limits: ChainLimits, *, now: int) -> Go | Done:
    """The current hop is over with ``status``, whatever the clock says; on to the next one.

    :param evidence: why. A hop that was tried before is not skipped, whatever there is to ask of the browser now.
    """
    hop = chain.hops[chain.index]
    if status == SKIPPED and hop.tries > 1:
        status, evidence = FAILED, Evidence.NO_RETURN
    over = replace(hop, status=status, at=now, evidence=str(evidence))
    return _enter(_with(chain, over), chain.index + 1, limits, now)


def sent(chain: Chain, asked: Asked) -> Chain:
    """The browser is on its way to the current hop, ``asked`` so."""
    return _with(chain, replace(chain.hops[chain.index], asked=str(asked)))


def not_sent(chain: Chain) -> Chain:
    """The browser is at none of our pages, so the first navigation that comes goes to the current hop, at once."""
    return replace(_with(chain, replace(chain.hops[chain.index], tries=0)), deadline=0)


def _enter(chain: Chain, index: int, limits: ChainLimits, now: int) -> Go | Done:
    if index == len(chain.hops):
        return Done(replace(chain, index=index, closed=now, deadline=0))
    return _try(replace(chain, index=index), limits, now)


def _try(chain: Chain, limits: ChainLimits, now: int) -> Go:
    hop = chain.hops[chain.index]
    again = _with(chain, replace(hop, tries=hop.tries + 1, asked=""))
    return Go(replace(again, deadline=now + limits.hop_deadline))


def _with(chain: Chain, current: HopState) -> Chain:
    return replace(chain, hops=(*chain.hops[: chain.index], current, *chain.hops[chain.index + 1 :]))


FORMAT = Format(Chain)
