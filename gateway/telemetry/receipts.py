"""Signed receipts of sign-outs, as this process writes them into its log, and the user's copy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from gateway.core import dice
from gateway.core.signout.chain import PENDING, Chain, HopState
from gateway.oidc.signout.signed_receipt import FINISHED, STARTED, LogoutReceipt, ReceiptKey, who_of


class ReceiptBook:
    """Makes out receipts, and numbers those that go into the log.

    :param issuer: ``public_url``. :param provider: the issuer of those who sign in.
    :ivar key: signs; may be replaced.
    """

    def __init__(self, issuer: str, provider: str, key: ReceiptKey) -> None:
        self.key = key
        self._issuer = issuer
        self._provider = provider
        self._run = dice.token(9)
        self._number = 0

    def started(self, chain: Chain, how: str) -> str:
        """For the log: ``chain`` has begun, because of ``how``."""
        return self.key.sign(self._numbered(chain, STARTED, chain.started, how))

    def finished(self, chain: Chain) -> str:
        """For the log: the last hop of ``chain`` is settled."""
        return self.key.sign(self._numbered(chain, FINISHED, chain.closed))

    def copy(self, chain: Chain) -> str:
        """For the user whose closed ``chain`` it is: the same claims, without the number in our log."""
        return self.key.sign(self._made_out(chain, FINISHED, chain.closed))

    def _numbered(self, chain: Chain, state: str, at: int, how: str | None = None) -> LogoutReceipt:
        self._number += 1
        return self._made_out(chain, state, at, how, run=self._run, number=self._number)

    def _made_out(
        self,
        chain: Chain,
        state: str,
        at: int,
        how: str | None = None,
        *,
        run: str | None = None,
        number: int = 0,
    ) -> LogoutReceipt:
        mark, *who = chain.who or (None,)
        return LogoutReceipt(
            issuer=self._issuer,
            logout=logout_id(chain),
            state=state,
            started=chain.started,
            at=at,
            durable=chain.durable,
            hops=chain.hops,
            session=mark,
            who=who_of(self._provider, *who) if who else None,
            how=how,
            run=run,
            number=number,
        )


def logout_id(chain: Chain) -> str:
    """What the lines and the receipts of one sign-out have in common; nobody can tell the chain's nonce from it."""
    digest = hashlib.sha256(f"receipt of {chain.nonce}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def ended(hops: Iterable[HopState]) -> tuple[str, ...]:
    """How they ended, as an audit line has it: ``NAME:STATUS``."""
    return tuple(f"{hop.name}:{hop.status}" for hop in hops if hop.status != PENDING)
