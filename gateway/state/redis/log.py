"""The revocation log of many hosts: a stream in Redis (rules R4 to R6).

Two connections. One listens: Redis answers it as soon as there is an entry that this process has not. The other asks,
one exchange at a time: it sends what waits in the outbox and gets back everything new, its own entries included, so
that the index always has the whole log up to its position. All appends that come while an exchange is under way
travel together in the next one; without any there is an exchange a second, which is what keeps the age low.

The life of an append: its entries are *held* in the index before anything awaits; an exchange brings them back at
their position, and they are released. If that takes longer than the deadline they are spooled, the answer says "not
durable", and they are sent until the log has them: batches have ids, and Redis looks, in the same step in which it
appends, whether a try that seemed to fail has been heard after all. What comes late is dated, by Redis's own clock.
Where the server has replicas, one of them has to confirm; a failover to it then loses nothing that was acknowledged.

What may go missing in Redis, and what is done (scripts.py notices it):

* Everything, by FLUSHALL or a restart without a disk. Whoever looks first makes a new log with a new id. Sessions seal
  the id, so all sessions of the old log are refused: nobody can prove that the instances still alive know of every
  logout that the lost log had acknowledged. That no instance may go on with the old id, however much history it has,
  also means that it does not matter which one comes first.
* The latest entries, by a failover or a restart with an older copy. Redis still vouches for what it has, and every
  instance that was there has the rest in its index. The id stays, the epoch changes, and in a new epoch each instance
  reads the whole log and sends what it misses there. Positions are sealed into sessions as `seen`, so they must never
  be given twice under one id: those of the new epoch begin beyond all that were given. What is sent again keeps the
  position it had, so it ends the same sessions as before and spares the same.
* The latest entries, and nobody was there: an instance that starts and finds an older copy has nothing to compare it
  with. It waits a few seconds for another one to vouch. Then it believes a server with an append-only file; any other
  log it gives a new id, which is the loss above.

Appends meet a breaker: after one that got no answer, or was refused, none waits any more until the background has
had another one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from gateway.core import clock, dice
from gateway.core.errors import ConfigurationError
from gateway.core.signout.log_extent import Gap
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.forgetting import tell_of_clock
from gateway.state.contract.log import Appended, completed
from gateway.state.contract.outbox import Outgoing
from gateway.state.contract.renewal import RenewalCause, why
from gateway.state.contract.shared_log import SharedLog
from gateway.state.contract.spool import SIZE
from gateway.state.redis.faults import CommandRefusedError, LostError, UnvouchedError, fault_of
from gateway.state.redis.link import Link
from gateway.state.redis.mirror import Mirror
from gateway.state.redis.pace import pause
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.rounds import Rounds
from gateway.state.redis.server import examine
from gateway.state.redis.spool import RedisSpool
from gateway.state.redis.stream import PAGE, Bell, Stream
from gateway.telemetry.log import get_logger

TRIM_EVERY: Final = 60.0
EXPIRED_AT_ONCE: Final = 1000
"""Entries that the index forgets in one go."""
SPOOL_AFTER: Final = 0.8
"""The part of the deadline of an append after which it is written down, so that this is done when it is answered."""
TROUBLE: Final = (OSError, CommandRefusedError, ConfigurationError, UnvouchedError)

_log = get_logger("state")


class RedisLog(SharedLog):
    """See `gateway.state.contract.log.RevocationLog` for the contract."""

    _spool: RedisSpool

    def __init__(
        self,
        place: RedisPlace,
        *,
        spool: Path | None = None,
        room: int = SIZE,
        state_loss_accepted: bool = False,
        deadline: float = 0.25,
        beat: float = 1.0,
        on_epoch: Callable[[], None] | None = None,
    ) -> None:
        """`spool`: a directory that outlives the process. `room`: bytes to reserve there. `beat`: also seconds between
        exchanges that nobody asked for. `on_epoch`: told when the server is in another life, and may have forgotten the
        moments before.
        """
        super().__init__(state_loss_accepted=state_loss_accepted, deadline=deadline, beat=beat)
        self._place = place
        self._on_epoch = on_epoch
        self._spool = RedisSpool(spool, self._outbox, room=room)
        self._mirror = Mirror(self.index, self._outbox, loss_accepted=state_loss_accepted)
        self._mirror.on_renewed = lambda cause: self.on_renewed(cause)  # noqa: PLW0108 - it is set later
        self._links: tuple[Link, ...] = ()
        self._tasks: list[asyncio.Task[None]] = []
        self._rounds = Rounds()
        self._examined = False
        self._failures = self._unheard = 0
        self._unheard_for = beat + deadline

    @property
    def log_id(self) -> str:
        """Of the log that the index has; empty before it was loaded."""
        return self._mirror.known.log_id

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Between the end of each copy of the log that was taken over and the beginning of its next epoch."""
        return self._mirror.gaps

    @property
    def loaded(self) -> bool:
        """Has the whole log been read once?"""
        return self._mirror.loaded

    async def open(self) -> None:
        """Connect, load the whole log and start the upkeep. Without Redis it starts all the same, not loaded, and
        goes on trying. Raises ConfigurationError.
        """
        self._stream, self._bell = Stream(self._place), Bell(self._place)
        self._links = (self._stream.link, self._bell.link)
        try:
            await self._spool.open()
            self._tell_doubt()
            await self._exchange(fatal=True)
        except BaseException:
            await self.close()
            raise
        self._spool.tell_shortage()
        if self.state_loss_accepted:
            _log.warning("state_loss_accepted", redis=str(self._place))
        self._tasks = [
            asyncio.create_task(self._keep_on(work), name=f"state log: {work.__name__}")
            for work in (self._attend, self._listen, self._tend)
        ]

    async def close(self) -> None:
        """Stop, within seconds even when the disk hangs; what could not be sent stays spooled."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._rounds.end_all()
        links, self._links = self._links, ()
        await asyncio.gather(*(link.close() for link in links))
        await self._spool.close()

    def moved(self) -> bool:
        """Has this host been told of an entry that the index has not, or not been told of anything for too long?

        A process that was held still (a suspended machine, SIGSTOP) wakes up with requests in its sockets, and would
        decide them before it hears what happened meanwhile.
        """
        unheard = self._age.of_reading(clock.elapsed())
        up_to_date = self._mirror.ahead <= self.index.position and unheard <= self._unheard_for
        return not up_to_date or self._spool.moved()

    def age(self) -> float:
        """Seconds since the index was last known to be in step with a log that takes entries."""
        return self._age.at(clock.elapsed())

    def health(self) -> str:
        """One line; starts with "ok" when all is well."""
        if not self.loaded:
            return f"not loaded: {self._unreadable.why or 'not open'}"
        if self._age.doubt:
            return f"nobody is let in: {self._age.doubt}"
        scarce = self._spool.complaint()
        more = f"; {scarce}" if scarce else ""
        if self._unreadable.why:
            return f"out of step for {self.age():.0f} s: {self._unreadable.why}{more}"
        if self._age.refusal:
            what = f"takes nothing for {self.age():.0f} s, other instances' ends are not heard of"
            return f"{what}: {self._age.refusal}{more}"
        if self.pending:
            what = self._mirror.refusal.why or "on their way"
            return f"{self.pending} entries are not in the log yet: {what}{more}"
        if not self._mirror.copied:
            return "the last entry is on one server only: no replica of Redis confirmed it in time"
        accepted = "; loss of the log is accepted" if self.state_loss_accepted else ""
        note = self._mirror.renewal.note(clock.now()) if self._mirror.renewal else ""
        return scarce or self._mirror.complaint() or f"ok: {len(self.index)} entries{accepted}{note}"

    def append(self, entries: Sequence[NewEntry]) -> Awaitable[Appended]:
        """Hold, send, tell. Never raises for trouble of the storage."""
        self._require_open()
        if not entries:
            return completed(Appended(durable=True, position=self.index.position))
        longer = self._mirror.behind()
        now = max(self._mirror.forgetting.date(), clock.now() + longer)
        one = self._outbox.take(tuple(entry.received(now).lasting(longer) for entry in entries), now)
        one.new_until = self._mirror.clock() + round(self._deadline * 1000)
        return asyncio.ensure_future(self._become(one, time.monotonic() + self._deadline))

    async def _become(self, one: Outgoing, until: float) -> Appended:
        writing = asyncio.get_running_loop().call_later(self._deadline * SPOOL_AFTER, self._spool.put, one)
        # Whoever finds that the last exchange failed does not wait: the background will have tried within a second.
        try:
            while not (one.position is not None or one.failed or self._failures or self._mirror.refusal.why):
                if not await self._rounds.next(until):
                    break
        finally:
            writing.cancel()
        if one.position is None:
            one.failed = True
            await self._spool.keep(one, until)
        return Appended(durable=one.position is not None and one.copied, position=self.index.position)

    async def catch_up(self) -> None:
        """Wait for an exchange that begins after this call, and for what the spool has, or the deadline.

        Who was held still waits until Redis has answered or has not: what it knows is of no use until then.
        """
        self._require_open()
        held_still = self._age.of_reading(clock.elapsed()) > self._unheard_for
        now, within = time.monotonic(), self._stream.link.patience if held_still else self._deadline
        exchange = [] if self._failures else [self._rounds.next(now + within)]
        await asyncio.gather(self._spool.catch_up(now + self._deadline), *exchange)
        self._tell_doubt()

    async def prove(self, position: int) -> None:
        """Wait for an exchange that begins after this call. What is proven lets nobody in until it is answered for."""
        self._require_open()
        log_id, until = self.log_id, time.monotonic() + self._deadline
        if self._failures or not await self._rounds.next(until) or self._failures or self.log_id != log_id:
            return
        self._mirror.prove(position)
        self._tell_doubt()

    def _require_open(self) -> None:
        if not self._tasks:
            raise RuntimeError("the state log is not open")

    async def _keep_on(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again, for as long as the log is open."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 -- whatever it was, the next entry must still come through
                _log.exception("state_log_crashed", work=getattr(work, "__name__", ""))
                await asyncio.sleep(self._beat)

    async def _attend(self) -> None:
        """One exchange, when it is wanted or time for it."""
        await self._rest()
        asked = self._rounds.begin()
        try:
            await self._exchange()
        finally:
            self._rounds.end(asked)
        if self._failures:
            self._rounds.end_all()  # nor has anybody to wait for the next one, who came while this one hung
            return
        await self._bury()
        await self._trim()

    async def _rest(self) -> None:
        """Until somebody asks, at most for a beat; after trouble until it is time to try again, whoever asks."""
        if self._failures:
            await asyncio.sleep(pause(self._failures))
            return
        await self._rounds.wanted(within=self._beat)

    async def _exchange(self, *, fatal: bool = False) -> None:
        """One exchange, with a second try where only the connection was an old one.

        :param fatal: raise ConfigurationError for what waiting cannot fix.
        """
        started, epoch, certain = clock.elapsed(), self._mirror.known.epoch, not self._spool.doubt
        try:
            try:
                await self._through()
            except LostError:
                await self._through()
        except TROUBLE as error:
            self._failures += 1
            fault = fault_of(error)
            self._unreadable.tell(str(fault))
            if fatal and fault.code:
                raise ConfigurationError(fault.code, fault.what, fix=fault.fix) from None
            return
        self._failures = 0
        self._age.read(started)
        # When an exchange ends, the index is as old as that took; the next one takes as long again, after a beat.
        self._unheard_for = self._beat + self._deadline + 2 * self._stream.link.pace.usual
        ago = self._mirror.took_ago
        self._takes(self._mirror.takes_nothing, started, since=None if ago is None else started - ago)
        self._unreadable.tell("")
        self._spool.mark()
        self._tell_doubt(lifted=certain)
        if self._on_epoch is not None and epoch and epoch != self._mirror.known.epoch:
            self._on_epoch()
        if self._outbox.waiting() and not self._mirror.refusal.why:
            self._rounds.want()
        if self._bell.link.address not in {None, self._stream.link.address}:
            await self._bell.link.drop()

    async def _through(self) -> None:
        if not self._examined:
            for advice in await examine(self._stream.link):
                _log.warning("state_log_at_risk", reason=advice.code, what=advice.what, fix=advice.fix)
            self._examined = True
        await self._mirror.exchange(self._stream, within=self._deadline)
        if await self._mirror.settle(self._stream):
            await self._mirror.exchange(self._stream, within=self._deadline)

    async def _listen(self) -> None:
        """Ask for an exchange as soon as there is something new."""
        try:
            rung = await self._bell.rings(self._mirror.known.position, within=self._beat)
        except TROUBLE:
            self._unheard += 1
            await asyncio.sleep(pause(self._unheard))
            return
        self._unheard = 0
        if rung is None:
            return
        if self.loaded:
            self._mirror.ahead = max(self._mirror.ahead, rung)
        await self._rounds.next(time.monotonic() + self._beat)
        if self._mirror.known.position < rung:
            await asyncio.sleep(self._beat)  # the exchange failed, and Redis would ring at once again

    async def _tend(self) -> None:
        """The upkeep of index and spool."""
        await asyncio.sleep(self._beat)
        tell_of_clock(self._mirror.forgetting)
        self.index.expire(self._mirror.now(), limit=EXPIRED_AT_ONCE)
        if await self._spool.tend():
            self._mirror.doubt()
            self._rounds.want()
        self._tell_doubt()

    async def _bury(self) -> None:
        """Where processes of this host have died with what they alone had, no session of before counts (rule R4)."""
        try:
            if not self._mirror.takes_nothing:
                await self._spool.bury(partial(self._mirror.bury, self._stream))
        except TROUBLE as error:
            _log.warning("state_log_not_renewed", why=str(fault_of(error)))

    async def _trim(self) -> None:
        if time.monotonic() - self._trimmed_at < TRIM_EVERY:
            return
        try:
            while await self._stream.trim(self._mirror.known, self._mirror.now()) == PAGE:
                pass
        except TROUBLE as error:
            _log.warning("state_log_untrimmed", why=str(fault_of(error)))
        # Not all instances at the same time.
        self._trimmed_at = time.monotonic() + TRIM_EVERY * dice.fraction()

    def _tell_doubt(self, *, lifted: bool = False) -> None:
        """What others of this host had, the log has when they say so: doubt ends with an exchange that begins then."""
        known = why(RenewalCause.SESSION) if self._mirror.proven else self._spool.doubt
        self._doubt(known or ("" if lifted else self._age.doubt))
        if self._age.doubt and not known:
            self._rounds.want()
