"""Everything that can happen to processes of one host and to their revocation log, in any order (hypothesis).

What is held, after each step:

* Whoever was told that somebody is signed out was told the truth: no process serves the session, whether the answer was
  "durable" or not. (Not durable is worth as much on one host: the others hold what is in the spool, and know by the board
  when something is in no file.)
* Whoever has not signed out is signed in, or is asked to come again (503). Only what a process took with it that was in
  no file ends more: then the log has another id.
* What was called durable is in the file.

When all faults are over, everything that waited has arrived, and a process that starts then knows it all.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core import clock
from gateway.core.gate import GateRules, Revocations, session_state
from gateway.core.session.revocation_keys import sid_key, subject_key
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.core.signout.revocation import ENTRY_MARGIN, EVENT_SKEW, NewEntry
from gateway.state.contract.forgetting import SETTLED
from tests.model.host import Host, Process
from tests.model.worker import ALL

ABSOLUTE = 12 * 3_600
HOUR = 3_600.0
MAX_STALENESS = 300.0
ROOM = 512
"""Bytes of the spool: two or three sign-outs."""
PEOPLE = ("alice", "bob")
RULES = cast("GateRules", SimpleNamespace(session=SessionLimits(ABSOLUTE, ABSOLUTE), accept_log_loss=False))

Fate = Literal["alive", "unclear", "ended"]


@dataclass(eq=False)
class Known:
    """A session, and what people were told of it."""

    session: Session
    person: str
    fate: Fate = "alive"


@dataclass(eq=False)
class Ending:
    """All sessions of one person were ended. `strict`: the order of the log alone says which."""

    person: str
    begun_at: float
    event_time: int
    done: bool = False
    strict: bool = False


class AnyOrder(RuleBasedStateMachine):
    """Of one host."""

    processes = 2

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="model-")
        self.host = Host(Path(self.directory.name), room=ROOM)
        self.sessions: list[Known] = []
        self.endings: list[Ending] = []
        self.lost = False
        self.copy: dict[str, bytes] | None = None
        self.latest = self.host.wall()
        self.ahead_since: float | None = None
        self.forgot = False
        self.began = 0
        for _ in range(self.processes):
            self.host.new().settle()

    # What people do.

    @precondition(lambda self: self.ready() and -EVENT_SKEW <= self.host.set_by <= HOUR)
    @rule(at=st.integers(0, 3), person=st.sampled_from(PEOPLE))
    def somebody_signs_in(self, at: int, person: str) -> None:
        """A clock that is further off finds every ID token expired or not valid yet."""
        process = self.one(at)
        under_way = [one for one in self.endings if one.person == person and not one.done]

        async def sign_in() -> None:
            log = process.log
            if log.moved():
                await log.catch_up()
            if log.age() > MAX_STALENESS:
                return
            now = clock.now()
            who = Principal("i", person, person)
            until = now + ABSOLUTE
            self.began += 1
            aliases = (subject_key("i", person),)
            made = Session(f"s{self.began}", log.log_id, who, aliases, now, log.index.position, until, until)
            unclear = under_way or any(
                not one.done or (not one.strict and now <= one.event_time + EVENT_SKEW + 1)
                for one in self.endings
                if one.person == person
            )
            self.sessions.append(Known(made, person, "unclear" if unclear else "alive"))

        process.asked(sign_in)

    @precondition(lambda self: self.sessions and self.ready())
    @rule(at=st.integers(0, 3), which=st.integers(0, 9))
    def somebody_signs_out(self, at: int, which: int) -> None:
        """Of a session that may be over already."""
        process, known = self.one(at), self.sessions[which % len(self.sessions)]
        key = sid_key(known.session.sid)
        entry = NewEntry(key, known.session.absolute_until + ENTRY_MARGIN, "logout")
        if known.fate == "alive":
            known.fate = "unclear"

        async def sign_out() -> None:
            appended = await process.log.append([entry])
            known.fate = "ended"
            if appended.durable and known.session.absolute_until > clock.now():
                assert self.host.has(key) or self.forgot, "called durable, and is not in the log"

        process.asked(sign_out)

    @precondition(lambda self: self.ready())
    @rule(at=st.integers(0, 3), person=st.sampled_from(PEOPLE))
    def all_of_a_person_ends(self, at: int, person: str) -> None:
        """Signed out everywhere, or deactivated, or by an operator."""
        process = self.one(at)
        now = clock.now()
        entry = NewEntry(subject_key("i", person), now + ABSOLUTE + ENTRY_MARGIN, "operator")
        ending = Ending(person, self.host.gone, int(self.latest))
        self.endings.append(ending)
        before = [known for known in self.sessions if known.person == person and known.fate != "ended"]
        for known in before:
            known.fate = "unclear"

        async def end() -> None:
            appended = await process.log.append([entry])
            ending.done = True
            ending.strict = appended.durable and self.host.gone == ending.begun_at
            for known in before:
                known.fate = "ended"
            if appended.durable:
                assert self.host.has(entry.key) or self.forgot, "called durable, and is not in the log"

        process.asked(end)

    @precondition(lambda self: self.ready())
    @rule(at=st.integers(0, 3))
    def everybody_asks(self, at: int) -> None:
        """As the gate does: a log that has moved is read before anything is decided."""
        process = self.one(at)
        ended = {known for known in self.sessions if known.fate == "ended"}

        async def ask() -> None:
            if process.log.moved():
                await process.log.catch_up()
            self.judge(process, ended)

        process.asked(ask)

    # What threads do.

    @rule(at=st.integers(0, 3), spool=st.booleans(), lines=st.integers(1, 60))
    def one_goes_on(self, at: int, spool: bool, lines: int) -> None:
        """A little."""
        if self.host.processes:
            process = self.host.processes[at % len(self.host.processes)]
            process.run(process.spool if spool else process.files, lines)

    @rule(at=st.integers(0, 3), spool=st.booleans())
    def one_finishes(self, at: int, spool: bool) -> None:
        """What it has begun."""
        if self.host.processes:
            process = self.host.processes[at % len(self.host.processes)]
            process.run(process.spool if spool else process.files, ALL)

    @rule(at=st.integers(0, 3))
    def one_settles(self, at: int) -> None:
        """It does all that it has to do."""
        if self.host.processes:
            self.host.processes[at % len(self.host.processes)].settle()

    # What machines do.

    @rule(seconds=st.sampled_from([0.1, 0.3, 1.1, 1.1, 6.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        """As long as nothing is ready, or everything."""
        self.pass_by(seconds)

    @rule(hours=st.sampled_from([0.5, 1.1, 4.0]))
    def much_time_passes(self, hours: float) -> None:
        """And everybody looks at the log meanwhile."""
        for _ in range(4):
            self.pass_by(hours * HOUR / 4)
            for process in self.host.processes:
                process.settle()

    @rule(by=st.sampled_from([0.0, 0.0, 0.5, 14.0, -5.0]))
    def the_clock_is_set(self, by: float) -> None:
        """Right, or wrong by so many hours; every process looks at it before anybody signs in by it."""
        self.host.set_by = by * HOUR
        for process in self.host.processes:
            process.settle()
        self.host.passes(1.1)
        self.latest = max(self.latest, self.host.wall())
        self.ahead_since = None if by <= 0 else self.host.gone

    @rule(full=st.booleans())
    def the_disk_is_full(self, full: bool) -> None:
        """Or not any more."""
        self.host.full = full

    @rule(locked=st.booleans())
    def the_log_is_locked(self, locked: bool) -> None:
        """By another program, or not any more."""
        self.host.unlock()
        if locked:
            self.host.lock()

    @rule(at=st.integers(0, 3), broken=st.booleans())
    def one_cannot_read(self, at: int, broken: bool) -> None:
        """Or can again."""
        if self.host.processes:
            process = self.host.processes[at % len(self.host.processes)]
            (self.host.broken.add if broken else self.host.broken.discard)(process)

    @precondition(lambda self: len(self.host.processes) < self.processes)
    @rule()
    def one_starts(self) -> None:
        """It may take its time."""
        self.host.new()

    @rule(at=st.integers(0, 3), again=st.booleans())
    def one_is_killed(self, at: int, again: bool) -> None:
        """Wherever it is; mostly another one follows at once."""
        if self.host.processes:
            self.kill(self.host.processes[at % len(self.host.processes)])
            if again:
                self.host.new()

    @rule(at=st.integers(0, 3))
    def one_is_stopped(self, at: int) -> None:
        """In good order, when everybody has an answer."""
        if not self.host.processes:
            return
        process = self.host.processes[at % len(self.host.processes)]
        if process.ready and process.idle:
            process.asked(process.stop)
            process.settle()
            self.kill(process)

    @rule()
    def a_copy_is_made(self) -> None:
        """Of the state directory, with nobody there."""
        for process in list(self.host.processes):
            self.kill(process)
        self.copy = self.host.copied()
        self.host.new()

    @precondition(lambda self: self.copy is not None)
    @rule()
    def the_copy_is_restored(self) -> None:
        """With nobody there. On this boot of the machine something outside of the directory knows better."""
        assert self.copy is not None
        for process in list(self.host.processes):
            self.kill(process)
        self.host.restore(self.copy)
        self.lost = True
        self.host.new()

    @rule()
    def the_machine_is_started_anew(self) -> None:
        """With whatever time it has."""
        for process in list(self.host.processes):
            self.kill(process)
        self.copy = None
        self.host.reboot()
        self.forgot |= self.host.set_by > 0
        self.host.new()

    # What is held.

    @invariant()
    def nobody_is_revived_and_nobody_is_ended(self) -> None:
        """By whoever would answer now."""
        ended = {known for known in self.sessions if known.fate == "ended"}
        for process in self.host.processes:
            if process.ready and not process.log.moved():
                self.judge(process, ended)
        for error in self.host.failures:
            raise error

    def judge(self, process: Process, ended: set[Known]) -> None:
        """What a process says of all sessions. `ended`: those whose end somebody was told of before it was asked."""
        log = process.log
        if log.age() > MAX_STALENESS:
            return
        now = clock.now()
        for known in self.sessions:
            state = session_state(known.session, Revocations(log.index, log.log_id, log.age()), RULES, now)
            if isinstance(state, Session):
                assert known not in ended, f"{known.session.sid} is served after its end"
            elif known.fate == "alive" and now < known.session.absolute_until:
                excused = {"log_lost": self.lost, "absolute_expired": self.forgot}.get(state.reason, False)
                assert excused, f"{known.session.sid} is refused: {state.reason}"

    def teardown(self) -> None:
        """All faults are over."""
        try:
            if not self.host.failures:
                self.all_is_well()
        finally:
            self.host.end()
            self.directory.cleanup()

    def all_is_well(self) -> None:
        """Everything has arrived, everywhere."""
        self.host.full = False
        self.host.unlock()
        self.host.broken.clear()
        self.host.new()
        for _ in range(6):
            for process in list(self.host.processes):
                process.settle()
                if not process.ready and process.idle:  # it could not start, so another one is
                    self.kill(process)
                    self.host.new()
            self.host.passes(2.0)
        for process in self.host.processes:
            process.settle()
        self.nobody_is_revived_and_nobody_is_ended()
        for process in self.host.processes:
            assert process.ready and not process.log.moved() and process.log.pending == 0, (
                process.log.health()
            )
            assert process.log.age() < MAX_STALENESS, process.log.health()
            assert not process.log._files.spool.filled()

    # How it is done.

    def ready(self) -> list[Process]:
        """Processes that answer."""
        return [process for process in self.host.processes if process.ready]

    def one(self, at: int) -> Process:
        """Of those."""
        ready = self.ready()
        return ready[at % len(ready)]

    def kill(self, process: Process) -> None:
        """What it alone knew is lost."""
        log = process.log
        self.lost |= log._board.marked or log._outbox.unkept() > 0
        self.host.kill(process)

    def pass_by(self, seconds: float) -> None:
        """Time. A clock that was wrong for an hour is believed."""
        self.host.passes(seconds)
        self.latest = max(self.latest + seconds, self.host.wall())
        if self.ahead_since is not None and self.host.gone - self.ahead_since >= SETTLED:
            self.forgot = True
