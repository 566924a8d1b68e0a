"""The life of a session: its copies, its generations, and the table of what a refresh leads to.

A session is a value, sealed into cookies. A browser sends the same one with many requests at once, answers cross each
other and get lost, and somebody may have copied it: at any moment there are *copies* of it, of one or more
*generations*. A refresh makes the next generation. What holds for all of them:

* All copies share ``sid``, ``login_at``, ``seen`` and ``absolute_until``, which never move (rule R6). An entry of the
  revocation log against any name of the session therefore ends every copy of every generation, however late it was
  made; nothing leads out of an ended state.
* All copies of one generation share ``refresh_at``. A later generation can only exist once that has passed, so a copy
  that is not due needs to ask nobody whether it is the newest.
* ``idle_until`` moves by activity only (pain P24). It may differ between copies; a refresh hands on that of the copy
  it began with.
* A refresh never logs out (rule R10). Only ``invalid_grant`` for the newest generation ends the session; for an older
  one it says no more than that its token was spent by the refresh before. That a generation is the newest has to be
  known: the processes say so in what they share, which has to answer, and nobody may ever have sent its token without
  telling what came of it. A process that was killed takes a token with it that nobody knows. What its refusal says is
  doubted then: the session goes on as it is, until its own deadlines, and is only not refreshed any more.
* Who has got a new token says so until it is taken, and holds the lease meanwhile. Who finds a lease that has run out
  hears the other one out, for as long as that one may need to be heard, before it sends the token again.
* A successor is handed out for as long as a copy of the generation before it can be alive, which is its idle time
  and a little more: a page that asks every five minutes must get it too, where the provider takes each refresh token
  once only. A copy that is due is therefore set anew only when nothing newer is known.

What a copy is worth at a request, `core.gate.session_state` decides; `current` says whether another stands in for it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import Enum

from gateway.core.session.session import Life, Principal, Session, SessionLimits, life

LONGEST = 3_600
"""Seconds. Cognito's tokens may live for a day; what changed there should show within the hour (rule R24)."""
OVERLAP = 60
"""Seconds for which a successor is handed out beyond the idle time: a copy may be set anew while it is being made."""
LEASE = 10
"""Seconds for which one process alone may try to refresh, if it does not say that it is still at it."""
HEAR_OUT = 10
"""Seconds for which the shared state has to answer before a token is sent whose former sender was not heard of again:
whoever lives has told by then what came of it.
"""
LEFT_ALONE = 600
"""Seconds until a token that was refused is tried again, where the refusal could not be believed."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The latest generation of a session that is known; ``session`` is None where it is not handed out."""

    generation: int
    session: Session | None


class Outcome(Enum):
    """How a refresh went."""

    RENEWED = "renewed"
    REFUSED = "refused"
    """``invalid_grant``."""
    FAILED = "failed"
    """The provider did nothing: it was not reached, wants patience, or does not know the client."""
    UNHEARD = "unheard"
    """5xx, a timeout, an answer that cannot be used: the token may be spent, and what came for it is lost."""


class Step(Enum):
    """What follows from it."""

    PUBLISH = "publish"
    DROP = "drop"
    """Revoke the new tokens: the session was ended while they were on their way."""
    ADOPT = "adopt"
    """Take the generation that somebody else has published."""
    END = "end"
    """The provider says that the session is over: end it everywhere."""
    KEEP = "keep"
    """Leave the session as it is, and its token alone for long."""
    RETRY = "retry"
    ASK_AGAIN = "ask_again"
    """Do nothing before what is shared has answered."""


class Knowledge(Enum):
    """What is known when the answer is there."""

    NEWEST = "newest"
    """There is no later generation, and nobody else can have one."""
    DOUBTED = "doubted"
    """No later generation is known, but somebody may have had one: the token was sent by somebody unheard of since."""
    UNKNOWN = "unknown"
    """What is shared does not answer, or somebody else is at it."""
    OLDER = "older"
    ENDED = "ended"
    """The revocation log has an entry against the session."""


STEPS = {
    (Outcome.RENEWED, Knowledge.NEWEST): Step.PUBLISH,
    (Outcome.RENEWED, Knowledge.DOUBTED): Step.PUBLISH,
    (Outcome.RENEWED, Knowledge.UNKNOWN): Step.PUBLISH,
    (Outcome.REFUSED, Knowledge.NEWEST): Step.END,
    (Outcome.REFUSED, Knowledge.DOUBTED): Step.KEEP,
    (Outcome.REFUSED, Knowledge.UNKNOWN): Step.ASK_AGAIN,
    **{(outcome, Knowledge.OLDER): Step.ADOPT for outcome in Outcome},
    **{(outcome, Knowledge.ENDED): Step.DROP for outcome in Outcome},
    **{
        (outcome, known): Step.RETRY
        for outcome in (Outcome.FAILED, Outcome.UNHEARD)
        for known in (Knowledge.NEWEST, Knowledge.DOUBTED, Knowledge.UNKNOWN)
    },
}


def is_due(session: Session, now: int) -> bool:
    """Whether the session is to be refreshed, as far as it knows itself."""
    return session.refresh_at is not None and now >= session.refresh_at


def current(session: Session, newest: Newest | None, limits: SessionLimits, now: int) -> Session | None:
    """The copy that counts in place of ``session``: itself, or its successor; None where that is not handed out.

    A copy whose time is over has none, or it would live again.
    """
    older = newest is not None and newest.generation > session.generation and is_due(session, now)
    if newest is None or not older or life(session, limits, now) is not Life.FRESH:
        return session
    later = newest.session
    return later and replace(later, idle_until=max(later.idle_until, session.idle_until), page=session.page)


def refresh_time(sid: str, generation: int, *, now: int, lives: int | None) -> int:
    """When tokens made at ``now`` are to be refreshed: after 80 to 90 % of their time, spread over the sessions.

    :param lives: seconds of the access token, as the provider said.
    """
    spread = zlib.crc32(f"{sid}.{generation}".encode()) / (1 << 32)
    lifetime = min(lives or LONGEST, LONGEST)
    return now + max(1, int(lifetime * (0.9 - 0.1 * spread)))


def successor(
    session: Session,
    principal: Principal,
    aliases: tuple[str, ...],
    *,
    refresh_token: str | None,
    access_token: str | None,
    access_until: int,
    refresh_at: int,
    hint: str | None = None,
) -> Session:
    """The next generation.

    :param refresh_token: the new one; None where the provider keeps the old one good. :param aliases: those that the
        provider names now; none is ever taken away (rule R19). :param hint: None where there is no newer one.
    """
    return replace(
        session,
        principal=replace(principal, more=session.principal.more),
        aliases=tuple(dict.fromkeys((*session.aliases, *aliases))),
        generation=session.generation + 1,
        refresh_token=refresh_token or session.refresh_token,
        access_token=access_token,
        access_until=access_until,
        refresh_at=refresh_at,
        hint=hint or session.hint,
    )


def visible_for(limits: SessionLimits) -> int:
    """Seconds for which a successor is handed out; see the module."""
    return limits.idle + OVERLAP
