"""Keeps an index in step with the stream, whatever has become of the stream meanwhile. No tasks, no deadlines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from gateway.core import clock
from gateway.core.signout.log_extent import Gap, lacks
from gateway.core.signout.revocation import UNPLACED, Entry, RevocationIndex
from gateway.state.contract.forgetting import APART, Forgetting
from gateway.state.contract.outbox import Outbox, Outgoing
from gateway.state.contract.renewal import LogRenewal, RenewalCause, new_log_id, tell_of_renewal
from gateway.state.contract.trouble import Trouble
from gateway.state.redis.faults import MOVES, CommandRefusedError, UnvouchedError, fault_of
from gateway.state.redis.stream import LogPage, ReadTo, Stream, name_of
from gateway.telemetry.log import get_logger

SENT_AT_ONCE: Final = 500
"""Batches in one exchange."""
VOUCH_WITHIN: Final = 5.0
"""Seconds that somebody has to vouch for a log that may be an older copy."""
TRIES: Final = 3
"""How often a log may change while it is read."""

_log = get_logger("state")


class Mirror:
    """One process's view of the stream: reads it into the index, sends what waits in the outbox."""

    def __init__(self, index: RevocationIndex, outbox: Outbox, *, loss_accepted: bool) -> None:
        self.known = ReadTo()
        self.ahead = 0
        """The last position that the log is known to have."""
        self.refusal = Trouble("state_log_unwritable", "state_log_writable")
        """Why Redis took no entries when it was asked last."""
        self.takes_nothing = ""
        """Why Redis takes nothing from anybody, as the last exchange showed."""
        self.took_ago: float | None = None
        """Seconds since it did; None where nobody has written that down."""
        self.gaps: tuple[Gap, ...] = ()
        """Positions that the log has never given."""
        self.renewal: LogRenewal | None = None
        self.on_renewed: Callable[[RenewalCause], None] = tell_of_renewal
        self.copied = True
        """A replica of the server has confirmed every append, or there is none."""
        self._index = index
        self._outbox = outbox
        self._loss_accepted = loss_accepted
        self.forgetting = Forgetting()
        self._replicas = 0
        self._doubted = False
        self._clock_offset = -math.inf
        self._unvouched_since = self._proven_at = math.inf
        self._proof = ReadTo()

    @property
    def loaded(self) -> bool:
        """Has the whole log been read once?"""
        return bool(self.known.log_id)

    def clock(self) -> int:
        """The server's clock in milliseconds, as far as it is known; 0 where it is not."""
        return max(0, round(clock.elapsed() * 1000 + self._clock_offset)) if self.loaded else 0

    def now(self) -> int:
        """What is forgotten by: the slower of this machine's time and the server's, for one of them may be wrong."""
        now = self.forgetting.now()
        return min(now, self.clock() // 1000 or now)

    def behind(self) -> int:
        """Seconds that this machine's clock is behind the server's, or behind what it was before."""
        server = self.clock() // 1000
        return max(self.forgetting.behind(), server - clock.now() if server else 0)

    def complaint(self) -> str:
        """What to say of a clock that disagrees with the time gone by, or with the server's; empty where none does."""
        server = self.clock() // 1000
        apart = clock.now() - server if server else 0
        if not self.forgetting.complaint() and abs(apart) > APART:
            which = "ahead of" if apart > 0 else "behind"
            return f"this machine's clock is {abs(apart)} s {which} that of Redis; set the wrong one right"
        return self.forgetting.complaint()

    def doubt(self) -> None:
        """Read the whole log again before anything is sent: it may have batches that were not looked for."""
        self._doubted = True

    async def exchange(self, stream: Stream, *, within: float) -> None:
        """Send what waits and read what is new; afterwards the index is in step.

        :param within: seconds for an append; reading has its own. Raises what the stream raises.
        """
        for _ in range(TRIES):
            if self.loaded and not self._doubted and await self._send(stream, within):
                self._outbox.settle()
                return
            await self._read(stream)
        raise CommandRefusedError("UNSTEADY")

    def prove(self, sealed: int) -> None:
        """Somebody has sealed this position; if the log, read just now, lacks it, later exchanges answer for that."""
        if self.loaded and not self.proven and lacks(sealed, self._index.position, self.gaps):
            self._proof, self._proven_at = replace(self.known, position=sealed), time.monotonic()

    @property
    def proven(self) -> bool:
        """A position was sealed that the log lacks, under the id that it had when it was read last."""
        return self.loaded and self._proof.log_id == self.known.log_id

    async def settle(self, stream: Stream) -> bool:
        """Give a log that lacks what was sealed another id, unless another instance brings it back in time.

        Has the log to be read again?

        :raises: what the stream raises.
        """
        if not self.proven:
            return False
        settled = time.monotonic() - self._proven_at > VOUCH_WITHIN
        sealed = self._proof.position
        done = await stream.renew(
            self.known, new_log_id(), RenewalCause.SESSION, sealed=sealed, settled=settled
        )
        if done == "has":
            self._proof = ReadTo()
        elif done != "lacks":
            self.doubt()  # and what is proven stays so until the other id has been read
        return done not in {"has", "lacks"}

    async def bury(self, stream: Stream) -> None:
        """Processes have died with what nobody else has: give the log another id, also if a replica takes over.

        :raises: what the stream raises.
        """
        await stream.renew(self.known, new_log_id(), RenewalCause.UNWRITTEN, copies=self._replicas > 0)
        self.doubt()

    async def _send(self, stream: Stream, within: float) -> bool:
        """False when the log has to be read first. What Redis refuses stays in the outbox, and the tail is read."""
        batches = self._outbox.waiting()[:SENT_AT_ONCE]
        copies = self._replicas > 0 and bool(batches or not self.copied)
        try:
            page = await stream.append(self.known, batches, within=within, copies=copies)
        except CommandRefusedError as error:
            if not batches or error.code in MOVES:
                raise
            self._refused(batches, str(fault_of(error)))
            batches = []
            page = await stream.append(self.known, (), within=within, copies=False)
        if page is None:
            return False
        self._take(page)
        self.known = page.standing
        self._sent(batches, copied=page.copied)
        self.takes_nothing = str(fault_of(CommandRefusedError(page.refusal))) if page.refusal else ""
        self.took_ago = max(0, page.clock - page.beat) / 1000 if page.beat else None
        return True

    async def _read(self, stream: Stream) -> None:
        """Read on, page by page; from the start where the server says so."""
        there: set[Entry] = set()
        changes: set[str] = set()
        cursor, from_start = replace(self.known, epoch="") if self._doubted else self.known, False
        self._doubted = False
        while True:
            page = await self._page(stream, cursor)
            if page.from_start:
                there, from_start = set(), True
            elif not from_start:
                self.ahead = page.end
            self._take(page)
            if page.renewal is not None and not page.renewal.reported:
                self.on_renewed(page.renewal.cause)
            there.update(row.entry for row in page.rows)
            cursor = page.standing
            changes.add(page.change)
            if not page.more:
                break
        before, self.known = self.known, cursor
        if from_start:
            self._tell(before, changes, self._restore(there))

    async def _page(self, stream: Stream, cursor: ReadTo) -> LogPage:
        history = replace(self.known, position=self._index.position)
        renew = time.monotonic() - self._unvouched_since > VOUCH_WITHIN
        try:
            page = await stream.read(history, cursor, new_log_id(), renew=renew)
        except UnvouchedError:
            self._unvouched_since = min(self._unvouched_since, time.monotonic())
            raise
        self._unvouched_since = math.inf
        return page

    def _take(self, page: LogPage) -> None:
        for row in page.rows:
            self._index.apply(row.entry)
            self._outbox.found(row.batch, row.position)
        self._index.rebase(max(self._index.position, page.standing.position))
        self._index.forgotten = max(self._index.forgotten, page.forgotten)
        self.gaps, self.renewal = page.gaps, page.renewal
        self._clock_offset = page.clock - clock.elapsed() * 1000
        self._replicas = page.replicas

    def _restore(self, there: set[Entry]) -> int:
        """Send what this index has and the log has not; how many entries that is."""
        live = [entry for entry in self._index.live(self.forgetting.now()) if entry.position != UNPLACED]
        missing = [entry for entry in live if entry not in there]
        for entry in missing:
            self._outbox.restore(name_of(entry), entry)
        return len(missing)

    def _sent(self, batches: Sequence[Outgoing], *, copied: bool) -> None:
        for one in batches:
            one.copied = copied
        if batches or not self._outbox.waiting():
            self.refusal.tell("")
        if self.copied and not copied:
            _log.warning("state_log_not_copied", why="no replica of the server confirmed an entry in time")
        self.copied = copied

    def _refused(self, batches: list[Outgoing], why: str) -> None:
        for one in batches:
            one.failed = True
        self.refusal.tell(why)

    def _tell(self, before: ReadTo, changes: set[str], restored: int) -> None:
        now = self.known
        if "made" in changes:
            _log.warning("state_log_made", log=now.log_id)
        if before.log_id and before.log_id != now.log_id:
            _log.error("state_log_lost", log=before.log_id, accepted=self._loss_accepted, sent_again=restored)
        elif before.epoch and before.epoch != now.epoch:
            _log.warning("state_log_repaired", log=now.log_id, epoch=now.epoch, sent_again=restored)
