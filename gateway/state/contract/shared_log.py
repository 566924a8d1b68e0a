"""What the log of one host and that of many have in common: what they hold, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from gateway.core.signout.revocation import RevocationIndex
from gateway.state.contract.age import Age
from gateway.state.contract.outbox import Outbox
from gateway.state.contract.renewal import RenewalCause, tell_of_renewal
from gateway.state.contract.shared_spool import SharedSpool
from gateway.state.contract.trouble import Trouble


class SharedLog:
    """See `gateway.state.contract.log.RevocationLog` for the contract.

    :param state_loss_accepted: the gate lets sessions of another log live; here it is only said, at the start and in
        `health`.
    :param deadline: seconds within which `append` and `catch_up` answer. :param beat: seconds between two rounds of the
        upkeep.
    """

    _spool: SharedSpool

    def __init__(self, *, state_loss_accepted: bool, deadline: float, beat: float) -> None:
        self.index = RevocationIndex()
        self.state_loss_accepted = state_loss_accepted
        self.on_renewed: Callable[[RenewalCause], None] = tell_of_renewal
        self._deadline = deadline
        self._beat = beat
        self._outbox = Outbox(self.index)
        self._age = Age()
        self._unreadable = Trouble("state_log_unreadable", "state_log_readable")
        self._incomplete = Trouble("state_log_incomplete", "state_log_complete")
        self._taking_nothing = Trouble("state_log_takes_nothing", "state_log_takes_entries")
        self._trimmed_at = -math.inf

    @property
    def pending(self) -> int:
        """How many appended entries the log has not yet."""
        return len(self._outbox)

    @property
    def spooled(self) -> float:
        """The part of the spool's room that is in use."""
        return self._spool.used

    def _takes(self, refusal: str, at: float, *, since: float | None) -> None:
        """Whether the log takes entries, as was seen ``at``; ``since``: when it last took one."""
        if refusal:
            self._age.refused(refusal, at, since=since)
        else:
            self._age.took(at)
        self._taking_nothing.tell(refusal)

    def _doubt(self, why: str) -> None:
        self._age.doubt = why
        self._incomplete.tell(why)
