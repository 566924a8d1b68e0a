"""The contract for the list of sign-ins, in words. It is for showing, and for ending what is shown; the revocation log
alone decides whether a session lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core import clock
from gateway.core.session.sign_in import Sighting, SignIn
from gateway.state.contract.log import RevocationLog


@dataclass(frozen=True, slots=True)
class Listed:
    """Sign-ins whose absolute deadline is ahead, those last seen first.

    :ivar total: how many there are, of which ``sign_ins`` are some. :ivar complete: False where the storage did not
        answer.
    """

    sign_ins: tuple[SignIn, ...]
    total: int
    complete: bool = True


BETWEEN_SIGHTINGS = 120
"""Seconds that activity may be newer than its note here: cookies are set anew once a minute, and notes are gathered."""
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

    async def known(self, alias: str) -> bool | None:
        """Whether a sign-in with this revocation key among its names was recorded (rule R20); None where the storage
        did not answer.
        """

    async def forget(self, sids: Sequence[str]) -> None:
        """Drop sign-ins that were ended."""


async def living(listed: Listed, log: RevocationLog, sign_ins: SignIns, *, idle: int) -> Listed:
    """Those that can be alive: no entry of the log has ended them, and they were seen within the idle time.

    :param idle: seconds; the configured idle time.
    """
    log_id, ended_by = log.log_id, log.index.ended_by
    ended = {one.sid for one in listed.sign_ins if one.log_id != log_id or ended_by(one) is not None}
    if ended:
        await sign_ins.forget(sorted(ended))
    seen_since = clock.now() - idle - BETWEEN_SIGHTINGS
    left = [one for one in listed.sign_ins if one.sid not in ended and one.seen_at >= seen_since]
    return Listed(tuple(left), listed.total - len(listed.sign_ins) + len(left), listed.complete)
