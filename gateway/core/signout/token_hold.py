"""Until when the refresh token of a session that has ended is kept from being revoked, and what is kept of it.

A provider may end its own session together with a token that is revoked; Keycloak does where no other client has one.
If that happens before the browser gets there, the provider has nobody to sign out any more: it asks no identity
provider behind it, whose session then lives on, or answers with an error page that leads nowhere. So the token waits
for the provider's own hop of the chain: until that has returned, failed or was skipped, or, where the browser does
nothing more, until the time for it is over.

======================================  ====================================================
the provider's own hops in the chain    the token is revoked
======================================  ====================================================
none, or all of them settled            at once
one is pending                          when the barrier is down and the hop could be over
======================================  ====================================================

Every step of the chain moves that time, but only so far (`FURTHER`): a browser that begins again and again keeps
nothing alive.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from gateway.core.session.sealed_format import Format
from gateway.core.session.session import Session, SessionOrHusk, Ticket
from gateway.core.signout.chain import PENDING, Chain, ChainLimits

FURTHER = 600
"""Seconds by which the steps of a chain can put a revocation off, all together."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What a token waits for.

    :ivar hops: names of the provider's own hops. :ivar chain: of all hops, in their order.
    """

    hops: Collection[str]
    limits: ChainLimits
    chain: Sequence[str]

    def until(self, chain: Chain) -> int:
        """Seconds; 0 where there is nothing to wait for (any more)."""
        pending = [n for n, hop in enumerate(chain.hops) if hop.name in self.hops and hop.status == PENDING]
        if not pending:
            return 0
        further = self.limits.hop_deadline * (pending[-1] - chain.index)
        return max(chain.started + self.limits.barrier, chain.deadline + further)

    def at_first(self) -> int:
        """The same for a chain that is about to begin: seconds from now."""
        own = [n for n, name in enumerate(self.chain) if name in self.hops]
        return max(self.limits.barrier, self.limits.hop_deadline * (own[-1] + 1)) if own else 0


def session_of(chain: Chain) -> str:
    """What the tokens that wait for ``chain`` are kept under: the session it ended, or a name of its own."""
    return chain.sid or chain.return_nonce("refresh token")


@dataclass(frozen=True, slots=True)
class Parked:
    """What is needed to revoke what is left of a session.

    :ivar sid: of the session, or of the chain (`session_of`). :ivar generation: the latest that was known; a refresh
        that was under way may have made another. :ivar ticket: of the session, None where it is in a cookie.
    :ivar who: its subject and user, for the audit.
    """

    sid: Annotated[str, "i"]
    tokens: Annotated[tuple[str, ...], "r"] = field(repr=False)
    generation: Annotated[int, "g"] = 0
    ticket: Annotated[Ticket | None, "k"] = field(default=None, repr=False)
    who: Annotated[tuple[str, str], "w"] = ("", "")
    more: str = ""


def parked(session: SessionOrHusk, latest: Session | None) -> Parked:
    """What is kept of ``session``, of which ``latest`` is the latest generation, where there is a later one."""
    copies = [one for one in (latest, session) if isinstance(one, Session)]
    tokens = dict.fromkeys(one.refresh_token for one in copies if one.refresh_token)
    _, subject, user = (latest or session).who
    generation = copies[0].generation if copies else 0
    return Parked(session.sid, tuple(tokens), generation, session.ticket, (subject, user))


FORMAT = Format(Parked)
