"""The stream in Redis: what the log asks it, in Python's terms. Every call has its time and may raise what a link
raises: OSError, CommandRefusedError, ConfigurationError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.signout.log_extent import Gap
from gateway.core.signout.revocation import Entry, NewEntry
from gateway.state.contract.outbox import Outgoing
from gateway.state.contract.renewal import LogRenewal, RenewalCause
from gateway.state.contract.renewal import read as read_renewal
from gateway.state.redis.faults import CommandRefusedError, GarbledError, UnvouchedError
from gateway.state.redis.link import Command, Link, Reply
from gateway.state.redis.place import RedisPlace
from gateway.state.redis.scripts import APPEND, READ, RENEW, TRIM

PAGE: Final = 1000
"""Entries in one answer; a millisecond of Redis's time, and ten of ours."""
READ_WITHIN: Final = 1.0
"""Seconds for one page."""
COPY_WITHIN: Final = 0.15
"""Seconds that a replica of the server has to confirm an append."""


@dataclass(frozen=True, slots=True)
class ReadTo:
    """How far a reader is.

    :ivar log_id: of the log that it has read whole; empty before. :ivar epoch: which reading of it, as the server names
        it; empty makes it read the whole log again. :ivar position: the last position it knows.
    """

    log_id: str = ""
    epoch: str = ""
    position: int = 0

    @property
    def cursor(self) -> str:
        """What the server compares: where this reader can go on."""
        return f"{self.log_id}/{self.epoch}"


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of the stream: where it is in it, the batch it came with, the entry at the position it denies from."""

    position: int
    batch: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class LogPage:
    """A piece of the log.

    :ivar standing: of a reader that has read it. :ivar end: the log's last position.
    :ivar clock: milliseconds, the server's. :ivar replicas: of the server, those that follow it.
    :ivar from_start: it begins with the first entry, because the reader could not go on where it was.
    :ivar change: `made`, `repaired` or `renewed` when the reader had that done to the log.
    :ivar more: there may be entries behind it.
    :ivar copied: a replica has what was appended with this call; True where there is none.
    :ivar refusal: why the server takes nothing; empty where it does. :ivar beat: when it last took something, by its
        clock, as far as that is known; 0 where it is not. :ivar forgotten: see `RevocationIndex.forgotten`.
    :ivar gaps: positions that were never given. :ivar renewal: the last one; not reported where this reader is to tell.
    """

    standing: ReadTo
    end: int
    clock: int
    replicas: int
    from_start: bool
    change: str
    rows: tuple[StreamEntry, ...]
    more: bool
    copied: bool
    refusal: str = ""
    beat: int = 0
    forgotten: int = 0
    gaps: tuple[Gap, ...] = ()
    renewal: LogRenewal | None = None


class Stream:
    """The log behind one link. One call at a time."""

    def __init__(self, place: RedisPlace) -> None:
        self.link = Link(place)
        self._place = place

    async def read(self, history: ReadTo, cursor: ReadTo, candidate: str, *, renew: bool) -> LogPage:
        """The next page for `cursor`, by a reader that has read `history` whole.

        Makes the log where there is none, with the id `candidate`, and repairs it where it may lack entries.

        :param renew: give it another id if nobody can vouch for it. :raises UnvouchedError: nobody can, and not that.
        """
        arguments = (
            history.log_id,
            history.position,
            candidate,
            int(renew),
            cursor.cursor,
            cursor.position,
            PAGE,
        )
        (reply,) = await self.link.ask(self._script(READ, arguments), within=READ_WITHIN)
        if reply == [b"unvouched"]:
            raise UnvouchedError
        return _page(reply, limit=PAGE)

    async def append(
        self, known: ReadTo, batches: Sequence[Outgoing], *, within: float, copies: bool
    ) -> LogPage | None:
        """Append what the stream has not yet, and answer everything behind `known`; None when it must be read first.

        :param copies: wait, for a part of the time, until a replica has all that came over this connection.
        """
        entries = [argument for one in batches for argument in _arguments(one)]
        append = self._script(APPEND, (known.log_id, known.position, known.cursor, PAGE, *entries))
        wait = [("WAIT", 1, round(COPY_WITHIN * 1000))] if copies else []
        reply, *counts = await self.link.ask(append, *wait, within=within)
        copied = not counts or counts[0] not in (0, None)
        return None if reply == [b"rejoin"] else _page(reply, copied=copied)

    async def trim(self, known: ReadTo, now: int) -> int:
        """Remove entries that are dead at `now` (epoch seconds); how many were."""
        (reply,) = await self.link.ask(
            self._script(TRIM, (known.log_id, known.position, now, PAGE)), within=READ_WITHIN
        )
        return reply if isinstance(reply, int) else 0

    async def renew(
        self,
        known: ReadTo,
        candidate: str,
        cause: RenewalCause,
        *,
        sealed: int = 0,
        settled: bool = False,
        copies: bool = False,
    ) -> str:
        """Give the log the id `candidate`; what became of it, as `redis_scripts.RENEW` has it.

        :param sealed: only if the log of `known` lacks this position, and `settled`: nobody else can have it.
        :param copies: a replica has to hear of it. :raises CommandRefusedError: none has.
        """
        arguments = (known.log_id, known.position, candidate, cause.value, sealed, int(settled))
        wait = [("WAIT", 1, round(COPY_WITHIN * 1000))] if copies else []
        reply, *counts = await self.link.ask(self._script(RENEW, arguments), *wait, within=READ_WITHIN)
        if 0 in counts:
            raise CommandRefusedError("NOREPLICAS")
        match reply:
            case [bytes() as done]:
                return done.decode()
        raise GarbledError("not the answer of our script")

    def _script(self, script: str, arguments: Iterable[str | int]) -> Command:
        # EVAL, not EVALSHA: a thousand bytes are less than what a server that forgot the script costs.
        return ("EVAL", script, 2, self._place.meta_key, self._place.log_key, *arguments)


class Bell:
    """Rings when the stream has something behind a position, on a connection of its own."""

    def __init__(self, place: RedisPlace) -> None:
        self.link = Link(place)
        self._key = place.log_key

    async def rings(self, after: int, *, within: float) -> int | None:
        """The first position behind `after`, as soon as there is one; None when there is none in so many seconds."""
        question = (
            "XREAD",
            "COUNT",
            1,
            "BLOCK",
            max(1, round(within * 1000)),
            "STREAMS",
            self._key,
            f"{after}-0",
        )
        (reply,) = await self.link.ask(question, within=READ_WITHIN, blocking=within)
        match reply:
            case None:
                return None
            case [[_, [[bytes() as found, *_], *_]]]:
                return _position(found.partition(b"-")[0])
        raise GarbledError("not the answer of XREAD")


def name_of(entry: Entry) -> str:
    """The batch of an entry that is sent again: the same for everybody who does it, so that the log gets it once."""
    return "again-" + hashlib.sha256(_written(entry).encode()).hexdigest()[:20]


def _arguments(one: Outgoing) -> Iterator[str | int]:
    for new, late in zip(one.new, one.batch.entries, strict=True):
        yield from (one.batch.id, one.new_until, new.expires, _written(new), _written(late))


def _written(entry: NewEntry) -> str:
    fields = [entry.key, entry.expires, entry.reason, entry.event_time, entry.barrier]
    return json.dumps(
        [*fields, entry.position] if isinstance(entry, Entry) else fields, separators=(",", ":")
    )


def _page(reply: Reply, *, limit: int | None = None, copied: bool = True) -> LogPage:
    match reply:
        case [
            bytes() as change, bytes() as log_id, bytes() as epoch, bytes() as position, bytes() as clock,
            int() as replicas, int() as start, int() as count, bytes() as lines, bytes() as refusal, bytes() as beat,
            bytes() as forgotten, bytes() as gaps, bytes() as renewed,
        ]:  # fmt: skip
            rows = tuple(map(_row, lines.split(b"\n"))) if count else ()
            end, more = _position(position), count == limit
            standing = ReadTo(log_id.decode(), epoch.decode(), rows[-1].position if more else end)
            return LogPage(
                standing, end, _position(clock), replicas, bool(start), change.decode(), rows, more, copied,
                refusal.decode("utf-8", "replace"), _position(beat), _position(forgotten), _gaps(gaps),
                read_renewal(renewed.decode("utf-8", "replace")),
            )  # fmt: skip
    raise GarbledError("not the answer of our script")


def _row(line: bytes) -> StreamEntry:
    """An entry of the stream. One that was restored names the position that it had before."""
    try:
        where, batch, text = line.split(b" ", 2)
        key, expires, reason, event_time, barrier, *placed = json.loads(text)
        position = int(where)
        entry = Entry(key, expires, reason, event_time, barrier, position=placed[0] if placed else position)
    except (TypeError, ValueError) as error:
        raise GarbledError("the log has an entry that the gateway did not write") from error
    return StreamEntry(position, batch.decode(), entry)


def _gaps(text: bytes) -> tuple[Gap, ...]:
    pairs = (gap.partition(b"-") for gap in text.split())
    return tuple((_position(before), _position(behind)) for before, _, behind in pairs)


def _position(text: bytes) -> int:
    if not text.isdigit():
        raise GarbledError("a position that is no number")
    return int(text)
