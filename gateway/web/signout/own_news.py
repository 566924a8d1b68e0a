"""Which news of a provider is our own: a sign-out that began here comes back as if it were another's (rule R21).

A provider that has ended a session tells all who want to hear of it, and where that names no session it would end the
person's sessions in other browsers as well. So the log is told when the browser is sent there; not before, for until
then the provider has nothing of ours to tell of, and what it does tell counts.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.core.session.revocation_keys import hop_name, names_provider_session, subject_key
from gateway.core.session.session import SessionOrHusk
from gateway.core.signout.chain import Chain, Go, Step
from gateway.core.signout.revocation import OWN_HOP, hop_marks
from gateway.state.contract.log import RevocationLog
from gateway.web.signout.hops import HOP, Hops

MOST = 8
"""Names of a user that travel with the chain."""


class OwnNews:
    """Tells the log.

    :param listening: whether anybody could bring such news.
    """

    def __init__(self, hops: Hops, log: RevocationLog, *, listening: bool) -> None:
        self._hops = hops
        self._log = log
        self._listening = listening

    def names(self, session: SessionOrHusk | None) -> tuple[str, ...]:
        """What the chain that ends ``session`` carries along."""
        if not self._listening or session is None:
            return ()
        own = subject_key(*session.who[:2])
        others = (alias for alias in session.aliases if alias != own and not names_provider_session(alias))
        return tuple(map(hop_name, (own, *others)))[:MOST]

    async def leaving(self, step: Step, before: Chain | None, now: int) -> Step:
        """The browser is about to be sent where ``step`` says, from ``before``: the log knows before it is gone.

        A hop that needs the hint begins at an address of ours, where it is decided whether it goes on: `at`.
        """
        if (
            not isinstance(step, Go)
            or _same_try(step.chain, before)
            or self._hops.location(step.chain) == HOP
        ):
            return step
        return replace(step, chain=await self.at(step.chain, now))

    async def at(self, chain: Chain, now: int) -> Chain:
        """The browser is about to be sent to the current hop of ``chain``. All hops of two minutes make one news."""
        current = chain.current
        if current is None or not chain.names or now <= chain.marked + OWN_HOP:
            return chain
        ours = self._hops.ends_our_sign_in(current.name)
        if names := chain.names if ours else chain.names[1:]:
            await self._log.append(hop_marks(names, now))
        return replace(chain, marked=now) if ours else chain


def _same_try(one: Chain, other: Chain | None) -> bool:
    """Whether nothing new begins: an impatient click leads to where the browser was sent already."""
    if other is None or one.current is None or other.current is None:
        return False
    return (one.nonce, one.index, one.current.tries) == (other.nonce, other.index, other.current.tries)
