"""Which sessions have been ended: the entries of the revocation log and the index over them.

Everything that ends sessions appends entries to one log. An entry names a key: one session (`sid:`),
everything of one subject (`sub:`, `email:`, `idp:`), everything of one session at the identity provider
(`isid:`), or everybody (`*`). Each process holds the log as a `RevocationIndex` and asks it on every
request.

When does an entry end a session? (rule R6)

* While the index has it, it ends what it ends, whatever any clock says. Entries outlive the longest session, so one
  that has expired has nothing left to end and may be forgotten. Clocks jump, though, and a log can be trimmed by a
  machine whose clock was wrong. So the index also knows up to which expiry entries may have been `forgotten`, by
  itself or by the log, and a session that such an entry could have named is over as well.
* A `sid:` entry always ends its session.
* Any other entry ends sessions that logged in before it, and "before" is the order of the log, not of clocks:
  a session seals the log position it had read at login (`seen`), and the entry ends it when `seen <
  position`.
* An entry made from somebody else's event (back-channel logout, SSF, event hook) may arrive late. It also
  compares the login with the event's own time, capped at the receipt, with a minute for clocks that differ:
  whoever signed in well after the event keeps that session. Where it names the provider's own session (`isid:`)
  no time is compared: that very session is over, and every sign-in that came of it, whatever the clocks say.

Held entries. While the log cannot be written an entry has no position yet, but it must deny here at once.
It is held with the position `UNPLACED`, later than anything, and with the time of its making as its event
time: it ends every session of its key that logged in until then and spares whoever signs in well after it.
It never moves `position`: a session that sealed an invented position would escape the entry that gets it.

Tokens that were taken. Who ends sessions from outside sends a signed token, good for one time. That it was taken is
an entry as well (`jti:`), because it has to hold where the entries hold: in every process, and after a restart. No
session has such a key among its names, so it ends nothing.

Sign-outs that were ours. A sign-out here ends the user's session at the provider too, which tells of it as it would
of any other; taken at its word, it would end the user's sessions in other browsers (rule R21). So when the browser is
sent there, an entry under each name of whoever signs out says so (`hop:`): one piece of news is expected on each way
in, and another entry says that it has come. Neither ends anything.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.core.session.revocation_keys import (
    EVERYONE,
    ends_sessions,
    hop_key,
    hop_name,
    is_hop_key,
    names_provider_session,
    sid_key,
    sid_of,
)
from gateway.core.session.session import SessionOrHusk
from gateway.core.session.sign_in import SignIn

ENTRY_MARGIN: Final = 3_660
"""Seconds that an entry outlives every session that it ends. A session that was made by a clock that is ahead lives
longer than the clocks of others would have it; by an hour at the most, for such a clock finds every ID token too old.
"""
EVENT_SKEW: Final = 60
"""Seconds that the clock of an event's sender may differ from ours (rule R6)."""
UNPLACED: Final = 1 << 62
"""The position of a held entry: after every position that a log can give."""

OWN_HOP: Final = 120
"""Seconds after the browser was sent to a provider in which what that tells of it may have happened (rule R21)."""
MARKS: Final = 8
"""Sign-outs of one user at a time whose news is waited for, and pieces of news that are known to have come."""
NEWS_WITHIN: Final = 3_600
"""Seconds that such news may be on the way; Okta allows its event hooks an hour (facts B.8)."""


def hop_marks(names: Iterable[str], now: int) -> tuple[NewEntry, ...]:
    """What is remembered when the browser of a user with these `hop_name` is sent to a provider that ends its
    session: `RevocationIndex.own_news` reads it.
    """
    until = now + OWN_HOP + NEWS_WITHIN
    return tuple(NewEntry(hop_key(name), until, "own_hop", now) for name in names)


SignedIn = SessionOrHusk | SignIn
"""What entries are compared with: a session, or what was recorded of one at its sign-in."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is appended to the log. Times are epoch seconds; `barrier` ends the logout barrier (rule R2)."""

    key: str
    expires: int
    reason: str
    event_time: int | None = None
    barrier: int | None = None

    def received(self, now: int) -> NewEntry:
        """This entry with its event time capped at its receipt: none ends future sessions (rule R6)."""
        if self.event_time is None or 0 <= self.event_time <= now:
            return self
        return replace(self, event_time=max(0, min(self.event_time, now)))

    def dated(self, now: int) -> NewEntry:
        """This entry with an event time, for it gets its position later than it was made. One that has been dated stays
        as it is: the clock may have fallen back since.
        """
        return replace(self, event_time=now) if self.event_time is None else self

    def lasting(self, longer: int) -> NewEntry:
        """This entry expiring so many seconds later: the clock by which it was made is behind (`Forgetting`)."""
        return replace(self, expires=self.expires + longer) if longer else self

    def placed(self, position: int) -> Entry:
        """This entry at its position in the log."""
        return Entry(self.key, self.expires, self.reason, self.event_time, self.barrier, position=position)


@dataclass(frozen=True, slots=True)
class Entry(NewEntry):
    """An entry of the log. Positions grow by commit; they are comparable within one log only."""

    position: int = field(kw_only=True)

    @property
    def compared_time(self) -> int | None:
        """The event's time, where logins are compared with it; None where only the log's order counts."""
        return None if names_provider_session(self.key) else self.event_time

    def ends(self, session: SignedIn) -> bool:
        """Does this entry end a session that has its key? (rule R6)"""
        if sid_of(self.key) is not None:
            return True
        if session.seen >= self.position:
            return False
        happened = self.compared_time
        return happened is None or session.login_at <= happened + EVENT_SKEW

    def unanswered(self, position: int, since: int | None) -> bool:
        """Was this entry made after a sign-out that was complete at this position and time? (rule R1)"""
        if position >= self.position:
            return False
        happened = self.compared_time
        return since is None or happened is None or since <= happened + EVENT_SKEW


class RevocationIndex:
    """The live entries by key. Not thread-safe: one thread applies and asks.

    A key keeps only entries that no other entry of that key covers, nearly always one, so that asking costs
    one dictionary look-up per name of the session however often it was revoked.
    """

    __slots__ = ("_held", "_kept", "_named", "_sids", "_soonest", "forgotten", "on_key", "position")

    def __init__(self) -> None:
        self.position = 0
        """The log position up to which every entry has been applied."""
        self.forgotten = 0
        """Entries that expire up to this second, and only those, may have been forgotten."""
        self.on_key: Callable[[str], None] | None = None
        """Told the key of each entry that denies from now on, from within `apply` and `hold`; must not raise."""
        self._sids: dict[str, tuple[Entry, ...]] = {}
        self._named: dict[str, tuple[Entry, ...]] = {}
        self._held: dict[str, tuple[Entry, ...]] = {}
        self._soonest: list[tuple[int, int, str]] = []
        self._kept = 0

    def __len__(self) -> int:
        return self._kept + sum(map(len, self._held.values()))

    def apply(self, entry: Entry) -> None:
        """Take in an entry of the log. Applying one twice changes nothing."""
        self.position = max(self.position, entry.position)
        table, name = self._place(entry.key)
        front = table.get(name, ())
        if any(_covers(old, entry) for old in front):
            return
        table[name] = (*(old for old in front if not _covers(entry, old)), entry)[
            -MARKS if is_hop_key(name) else 0 :
        ]
        self._kept += len(table[name]) - len(front)
        heapq.heappush(self._soonest, (entry.expires, entry.position, entry.key))
        if self.on_key is not None and ends_sessions(entry.key):
            self.on_key(entry.key)

    def hold(self, entry: NewEntry, now: int) -> Entry:
        """Deny at once by an entry that the log has not taken yet; `release` takes back what this returns."""
        held = entry.dated(now).placed(UNPLACED)
        self._held[held.key] = (*self._held.get(held.key, ()), held)
        if self.on_key is not None and ends_sessions(held.key):
            self.on_key(held.key)
        return held

    def release(self, held: Entry) -> None:
        """Forget a held entry, once its placed self has been applied. Unknown ones are ignored."""
        left = tuple(entry for entry in self._held.get(held.key, ()) if entry is not held)
        if left:
            self._held[held.key] = left
        else:
            self._held.pop(held.key, None)

    def ended_by(self, session: SignedIn) -> Entry | None:
        """The entry that ended this session, or None while it lives or nobody knows any more (`may_be_forgotten`).

        No clock is asked (see above). Of several entries the one with the latest barrier is named, then the latest.
        """
        suspects = self._sids.get(session.sid, ())
        if self._named:
            entries_of = self._named.get
            suspects += entries_of(EVERYONE, ())
            for alias in session.aliases:
                suspects += entries_of(alias, ())
        if self._held:
            suspects += self._held_against((sid_key(session.sid), EVERYONE, *session.aliases))
        if not suspects:
            return None
        return max((entry for entry in suspects if entry.ends(session)), key=_gravity, default=None)

    def sign_out_of(self, sid: str) -> Entry | None:
        """The entry that names this very session; of several the same one as `ended_by` has."""
        entries = (*self._sids.get(sid, ()), *self._held_against((sid_key(sid),)))
        return max(entries, key=_gravity, default=None)

    def may_be_forgotten(self, deadline: int) -> bool:
        """Whether an entry against a session that ends by itself at ``deadline`` may have been forgotten.

        Then the session is over, whatever the clock says.
        """
        return deadline + ENTRY_MARGIN <= self.forgotten

    def subject_entry_after(
        self,
        aliases: Iterable[str],
        *,
        position: int,
        now: int,
        since: int | None = None,
        answered: Callable[[Entry], bool] = lambda _: False,
    ) -> Entry | None:
        """The latest entry against these names that a login attempt has not answered (rule R1), or None.

        `position` is where the log stood when this browser last completed a logout chain, 0 if it never
        did; `since` is the time of that, if known: it answers an entry that was made before but got its
        position only later. `answered` says of an entry that something else has answered it.
        """
        names = (EVERYONE, *aliases)
        suspects = self._held_against(names)
        for name in names:
            suspects += self._named.get(name, ())
        open_ones = [
            entry
            for entry in suspects
            if now < entry.expires and entry.unanswered(position, since) and not answered(entry)
        ]
        return max(open_ones, key=lambda entry: entry.position, default=None)

    def taken(self, token: str, now: int) -> Entry | None:
        """The entry of a token (`token_key`) that was taken and could still come again, or None."""
        return next(self._under(token, now), None)

    def is_ended(self, key: str, now: int) -> bool:
        """Whether an entry with this very key is in force."""
        return next(self._under(key, now), None) is not None

    def own_news(self, keys: Iterable[str], *, way: str, at: int, now: int) -> tuple[NewEntry, ...]:
        """What to remember when the news, on this way in, that the sessions of a user with these names ended at `at` is
        of a sign-out that began here (rule R21); empty when it is not. Each sign-out is good for one piece of news on
        each way in. Clocks may differ by a minute.
        """
        found = []
        for name in map(hop_name, keys):
            received = hop_key(name, way)
            spent = max((entry.event_time or 0 for entry in self._under(received, now)), default=-1)
            times = [
                entry.event_time for entry in self._under(hop_key(name), now) if entry.event_time is not None
            ]
            fitting = [t for t in times if t > spent and -EVENT_SKEW <= at - t <= OWN_HOP + EVENT_SKEW]
            if fitting:
                until = min(fitting) + OWN_HOP + NEWS_WITHIN
                found.append(NewEntry(received, until, "own_hop", min(fitting)))
        return tuple(found)

    def expire(self, now: int, *, limit: int | None = None) -> int:
        """Drop dead entries, at most `limit` of them, the longest dead first; how many were dropped."""
        dropped = 0
        while self._soonest and self._soonest[0][0] <= now and (limit is None or dropped < limit):
            expires, position, key = heapq.heappop(self._soonest)
            self.forgotten = max(self.forgotten, expires)
            dropped += self._drop(key, position)
        for entry in [entry for held in self._held.values() for entry in held if entry.expires <= now]:
            self.forgotten = max(self.forgotten, entry.expires)
            self.release(entry)
            dropped += 1
        return dropped

    def live(self, now: int) -> list[Entry]:
        """The entries that can still end sessions, the latest first; held ones (`UNPLACED`) before all."""
        tables = (self._held, self._sids, self._named)
        every = [entry for table in tables for front in table.values() for entry in front]
        alive = [entry for entry in every if now < entry.expires and ends_sessions(entry.key)]
        return sorted(alive, key=lambda entry: entry.position, reverse=True)

    def rebase(self, position: int) -> None:
        """Follow another log from this position on; what the old one denied stays denied."""
        self.position = position

    def _place(self, key: str) -> tuple[dict[str, tuple[Entry, ...]], str]:
        sid = sid_of(key)
        return (self._named, key) if sid is None else (self._sids, sid)

    def _under(self, key: str, now: int) -> Iterator[Entry]:
        entries = (*self._named.get(key, ()), *self._held_against((key,)))
        return (entry for entry in entries if now < entry.expires)

    def _held_against(self, names: Sequence[str]) -> tuple[Entry, ...]:
        return tuple(entry for name in dict.fromkeys(names) for entry in self._held.get(name, ()))

    def _drop(self, key: str, position: int) -> int:
        table, name = self._place(key)
        front = table.get(name, ())
        left = tuple(entry for entry in front if entry.position != position)
        if left:
            table[name] = left
        else:
            table.pop(name, None)
        self._kept -= len(front) - len(left)
        return len(front) - len(left)


def _covers(one: Entry, other: Entry) -> bool:
    """Does `one` end every session that `other` ends, at least as long, and would it be named before it?

    Two sign-outs of one user are two, whichever was later.
    """
    if is_hop_key(one.key) and one.event_time != other.event_time:
        return False
    mine, others = one.compared_time, other.compared_time
    return (
        one.position >= other.position
        and one.expires >= other.expires
        and (one.barrier or 0) >= (other.barrier or 0)
        and (mine is None or (others is not None and mine >= others))
    )


def _gravity(entry: Entry) -> tuple[int, int]:
    return entry.barrier or 0, entry.position
