"""Events in any order, through the table and through a connection: a request has one answer, and an end is an end."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.door import stages
from gateway.web.door.connection import Connection
from gateway.web.door.limits import DoorLimits
from gateway.web.door.stages import Stage
from gateway.web.messages import Request, Response, Sent
from tests.fakes.door import listener

EVENTS: dict[str, Mapping[Stage, Stage]] = {
    name: row for name, row in vars(stages).items() if name.isupper() and isinstance(row, dict)
}
UNDER_WAY = range(Stage.ASKED, Stage.TUNNEL + 1)


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=30))
def test_any_order_of_events_through_the_table(events: list[str]) -> None:
    """What the order of the stages promises holds on every way through the table."""
    stage = Stage.RESTING
    for event in events:
        before, stage = stage, EVENTS[event][stage]
        if before >= Stage.LAST:
            assert stage >= Stage.LAST, "a request can come after the last one"
        if before >= Stage.CLOSING:
            assert stage in {before, Stage.GONE}, "an end was taken back"
        if stage in UNDER_WAY and before not in UNDER_WAY:
            assert (event, stage) == ("REQUEST_COME", Stage.ASKED)
        if before in UNDER_WAY and stage < Stage.ASKED:
            assert event in {"ANSWERED", "ANSWERED_EARLY"}
    assert stages.LOST[stage] is Stage.GONE


def test_every_stage_is_reached_and_left() -> None:
    """No row and no stage is there for nothing."""
    moves = [(old, new) for row in EVENTS.values() for old, new in row.items() if old is not new]
    assert {new for _, new in moves} == set(Stage)
    assert {old for old, _ in moves} == set(Stage) - {Stage.GONE}
    assert all(set(row) == set(Stage) for row in EVENTS.values())


class Wire(asyncio.Transport):
    """A transport that ends when it is told to; what is sent after that is an error."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self.sent = b""
        self.ended = self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not (self.ended or self.closing)
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        """Whoever plays reads nothing by itself."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


class Tunnel:
    """Takes what comes after an upgrade. ``lost``: how often it was told of the end."""

    lost = 0

    def from_client(self, data: bytes) -> None:
        """Nothing is done with it."""

    def client_ended(self) -> bool:
        return False

    def client_lost(self) -> None:
        self.lost += 1


class Play:
    """One connection, and everything that can happen to it."""

    def __init__(self) -> None:
        self.begun: list[Request] = []
        self.answered = self.left = 0
        self.doors = listener(self.begun.append, DoorLimits(1_000, 0))
        self.wire, self.tunnel = Wire(), Tunnel()
        self.connection = Connection(self.doors)
        self.connection.connection_made(self.wire)

    def feed(self, data: bytes) -> None:
        if not self.wire.closing and self.connection._stage is not Stage.GONE:
            self.connection.data_received(data)

    def ends(self) -> None:
        if not self.wire.closing and not self.connection._half_closed and not self.connection.eof_received():
            self.wire.close()

    def whole(self) -> None:
        self._respond(Response())

    def last(self) -> None:
        self._respond(Response(close=True))

    def sent(self) -> None:
        self._respond(Sent(200, b"", close=False))

    def _respond(self, response: Response | Sent) -> None:
        for request in self.begun[-1:]:
            self.answered += self.connection._asked is request
            self.connection.respond(request, response)

    def part(self) -> None:
        if self.connection._asked is not None:
            self.connection.write(b"HTTP/1.1 200 OK\r\n")

    def upgrade(self) -> None:
        if self.connection._asked is not None:
            self.connection.hand_over(self.tunnel)

    def late(self) -> None:
        self.connection.check(float("inf"))

    def lost(self) -> None:
        if self.connection._stage is not Stage.GONE:
            self.wire.closing = True
            self.connection.connection_lost(None)

    def check(self) -> None:
        """What holds after each of it."""
        connection, stage = self.connection, self.connection._stage
        assert len(self.begun) - self.answered == (connection._asked is not None) + self.left
        if connection._asked is None:
            assert stage not in UNDER_WAY
        else:
            assert stage in {*UNDER_WAY, Stage.CLOSING}
        if connection._reader.body is not None:
            assert Stage.SURPLUS <= stage <= Stage.CLOSING
            assert stage is not Stage.LAST
        else:
            assert stage is not Stage.SURPLUS
            asked = connection._asked
            whole = asked is None or asked.body is None or asked.body.complete
            assert whole or stage in {Stage.LAST, Stage.TUNNEL, Stage.CLOSING}
        assert connection.idle == (stage is Stage.RESTING and not connection._reader.ahead.size)
        assert not connection.closed or connection._reader.ahead.size == 0


BYTES = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTT",
    b"P/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"1\r\na\r\n0\r\n\r\n",
    b"bc",
    b"\r\n",
)
MOVES: list[Callable[[Play], None]] = [
    *(lambda play, data=data: play.feed(data) for data in BYTES * 4),
    *(Play.whole,) * 8,
    *(Play.part, Play.sent) * 2,
    *(Play.ends, Play.last, Play.upgrade, Play.late, Play.lost),
    lambda play: play.connection.pause_writing(),
    *(lambda play: play.connection.resume_writing(),) * 2,
    lambda play: play.connection.close(),
    lambda play: play.connection.cut(),
]
"""Ends are rarer than what goes before them."""


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as made:
        yield made


@given(st.lists(st.sampled_from(MOVES), min_size=10, max_size=40))
def test_any_order_of_events_through_a_connection(
    runner: asyncio.Runner, moves: list[Callable[[Play], None]]
) -> None:
    """Nothing is sent after the end, no request has two answers, and whoever waits hears of the end once."""

    async def played() -> None:
        play = Play()
        for move in moves:
            asked = play.connection._asked
            move(play)
            if asked is not None and play.connection._stage is Stage.GONE:
                play.left = 1
            play.check()
        receives = play.connection._receiver is not None
        lost = play.tunnel.lost
        play.lost()
        assert play.connection._stage is Stage.GONE
        assert play.tunnel.lost == lost + receives
        assert play.wire.sent.count(b"Content-Length: 0\r\n") <= len(play.begun)
        assert play.connection not in play.doors.connections
        play.doors.clock.close()

    runner.run(played())


@pytest.mark.parametrize("coming", [b"no request line\r\n\r\n", BYTES[0]], ids=["unreadable", "answered"])
async def test_a_client_that_has_reset_its_connection_is_no_failure(
    coming: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel knows before the event loop has read it, and refuses to end one half: all of it is closed."""
    play = Play()

    def refused() -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr(play.wire, "write_eof", refused)
    play.feed(coming)
    play.last()
    assert play.wire.sent
    assert play.wire.closing
    play.lost()
    play.doors.clock.close()
