"""The contract for the list of sign-ins, in words. It is for showing, and for ending what is shown; the revocation log
alone decides whether a session lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core import clock
from gateway.core.sign_in import Sighting, SignIn
from gateway.state.log import RevocationLog


@dataclass(frozen=True, slots=True)
class Listed:
    """Sign-ins whose absolute deadline is ahead, those last seen first.

    :ivar total: how many there are, of which ``sign_ins`` are some. :ivar complete: False where the storage did not
        answer.
    """

    sign_ins: tuple[SignIn, ...]
    total: int
    complete: bool = True


UNKNOWN = Listed((), 0, complete=False)


class SignIns(Protocol):
    """What is remembered of sign-ins, by all processes that share the revocation log.

    No call raises for trouble of the storage, and each is answered within a quarter of a second.
    """

    async def open(self) -> None:
        """Connect. To be called after a fork, and after the log was opened."""

    async def close(self) -> None:
        """Disconnect. May be called twice."""

    async def record(self, sign_in: SignIn) -> bool:
        """Remember a sign-in until its absolute deadline; whether that was done."""

    async def note(self, sightings: Mapping[str, Sighting]) -> bool:
        """Remember the last activity of sessions, by sid; of what is remembered the later one counts."""

    async def of(self, issuer: str, subject: str, *, limit: int) -> Listed:
        """Those of one subject."""

    async def all(self, *, limit: int) -> Listed:
        """Everybody's."""

    async def known(self, alias: str) -> bool:
        """Whether a sign-in with this revocation key among its names was recorded (rule R20)."""

    async def forget(self, sids: Sequence[str]) -> None:
        """Drop sign-ins that were ended."""


async def living(listed: Listed, log: RevocationLog, sign_ins: SignIns) -> Listed:
    """Those that no entry of the log has ended; the others are forgotten."""
    now, index = clock.now(), log.index

    def is_over(one: SignIn) -> bool:
        if one.log_id != log.log_id:
            return True
        seen, login_at = one.position, one.login_at
        return index.ended_by(one.sid, one.aliases, seen=seen, login_at=login_at, now=now) is not None

    over = {one.sid for one in listed.sign_ins if is_over(one)}
    if not over:
        return listed
    await sign_ins.forget(sorted(over))
    left = tuple(one for one in listed.sign_ins if one.sid not in over)
    return Listed(left, listed.total - len(over), listed.complete)
