"""The hops of the logout chain as this deployment walks them: where each leads, and what proves a return (rule R28)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.core.signout.chain import FAILED, PENDING, SKIPPED, Chain, HopState
from gateway.core.signout.evidence import ENDED, Evidence
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signout.logout import Act, Form, Hop, HopRequest, Redirect, Skip
from gateway.oidc.signout.sign_outs import ID_TOKEN, Proof
from gateway.web.pages import pages

LOGGED_OUT = "/logged-out"
DONE_PREFIX = "/logout/done/"
HOP = "/logout/hop"
"""Where a hop is entered that needs the hint: its cookie goes to ``/logout/…`` only (rule R18)."""


@dataclass(frozen=True, slots=True)
class Unasked:
    """How a hop ends without the browser being asked: a status of the chain, and why."""

    status: str
    why: Evidence


class Hops:
    """The configured hops."""

    def __init__(self, hops: Sequence[Hop], public_url: str, provider: IdentityProvider) -> None:
        self._by_name = {hop.name: hop for hop in hops}
        self._public_url = public_url
        self._provider = provider

    def label(self, name: str) -> str:
        hop = self._by_name.get(name)
        return hop.label if hop else name

    def ends_our_sign_in(self, name: str) -> bool:
        """Whether that hop ends the session of the provider that signs people in here."""
        hop = self._by_name.get(name)
        return hop is not None and not hop.elsewhere

    def location(self, chain: Chain) -> str:
        """Where the current hop of ``chain`` begins, for a redirect or a script to go to."""
        hop, act = self._current(chain)
        if hop is None:
            return LOGGED_OUT
        return act.url if isinstance(act, Redirect) else HOP

    def unasked(self, chain: Chain) -> Unasked | None:
        """How the current hop ends without anything being asked of the browser; None when it has to be walked."""
        hop, act = self._current(chain)
        if chain.current is None:
            return None
        if hop is None:
            # Sealed before the configuration changed. The browser may have been there, so "skipped" would be a claim.
            return Unasked(FAILED, Evidence.NOT_CONFIGURED)
        if hop.instead_of and chain.has_ended(hop.instead_of):
            return Unasked(SKIPPED, Evidence.NOT_NEEDED)
        return Unasked(SKIPPED, act.why) if isinstance(act, Skip) else None

    async def act(self, chain: Chain, hint: str | None) -> Act:
        """What the browser has to do at the current hop, which `unasked` has let pass."""
        hop, act = self._current(chain)
        if hop is None or act is not None:
            return act or Redirect(LOGGED_OUT)
        found = await self._provider.end_session()
        token = hint if hop.hint == ID_TOKEN else None
        asked = replace(
            self._asked(chain, hop),
            hint=hint,
            published=None if token is None else await self._provider.publishes_key_of(token),
            again=chain.current is not None and chain.current.tries > 1,
            end_session=found,
            reached=self._provider.metadata is not None,
        )
        return hop.way.act(asked)

    def page_to(self, act: Redirect | Form, chain: Chain) -> pages.Page:
        """A page that moves on in either way: behind it no policy of the page where the sign-out began holds."""
        status = pages.stands_in(chain.reason)
        if isinstance(act, Redirect):
            return pages.leaving(url=act.url, status=status)
        label = self.label(chain.current.name) if chain.current else ""
        return pages.hop(action=act.url, fields=act.fields, hop_label=label, status=status)

    def evidence(self, chain: Chain, name: str, nonce: str, state: str | None) -> Evidence | None:
        """What a visit to the return address of ``name`` shows; None: nothing.

        :param nonce: the rest of the path. :param state: of the query.
        """
        hop = self._by_name.get(name)
        if hop is None:
            return None
        expected, proof = chain.return_nonce(name), hop.known.proof
        if proof is Proof.PATH:
            proven, counts = True, _same(nonce, expected)
        elif proof is Proof.STATE or (proof is Proof.STATE_IF_ANY and state is not None):
            proven, counts = True, not nonce and _same(state or "", expected)
        else:
            proven, counts = False, not nonce
        if not counts:
            return None
        if hop.known.ended(chain.asked_of(name)):
            return Evidence.SESSION_ENDED if proven else Evidence.ENDED_ADDRESS_REACHED
        return Evidence.CAME_BACK if proven else Evidence.ADDRESS_REACHED

    def effective(self, chain: Chain) -> list[HopState]:
        """The hops that a receipt tells of: of a hop and the one in its stead, the one that counted."""
        states = {hop.name: hop for hop in chain.hops}
        stands_in = {hop.instead_of: hop.name for hop in self._by_name.values() if hop.instead_of in states}
        hidden = {
            second if states[first].status == PENDING or states[first].evidence in ENDED else first
            for first, second in stands_in.items()
            if second in states
        }
        return [hop for hop in chain.hops if hop.name not in hidden]

    def _current(self, chain: Chain) -> tuple[Hop | None, Act | None]:
        """The current hop, and what it asks of every browser alike where it needs no hint."""
        hop = self._by_name.get(chain.current.name) if chain.current else None
        return hop, None if hop is None or hop.hint else hop.way.act(self._asked(chain, hop))

    def _asked(self, chain: Chain, hop: Hop) -> HopRequest:
        nonce = chain.return_nonce(hop.name)
        end = f"/{nonce}" if hop.nonced else ""
        return HopRequest(return_to=f"{self._public_url}{DONE_PREFIX}{hop.name}{end}", state=nonce)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
