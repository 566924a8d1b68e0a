"""The tunnel as a state machine: no bytes but those of whole frames pass after the session's end (rule R22)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.http.websocket_frames import close_frame
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.tunnel import Tunnel
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import frame
from tests.proxy.test_connection import Owner
from tests.proxy.test_pool import Transport


class Wire(Transport):
    def __init__(self):
        super().__init__(None)
        self.sent = b""
        self.reading = True
        self.finished = False
        self.how = ""

    def write(self, data):
        self.sent += data

    def abort(self):
        self.closed, self.how = True, self.how or "abort"

    def close(self):
        self.closed, self.how = True, self.how or "close"

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.finished = True


class Browser(Wire):
    blocked = False
    finish = Wire.write_eof


def tunnel(idle=float("inf")):
    browser: Any = Browser()
    wire: Any = Wire()
    connection = UpstreamConnection(Owner())
    connection.connection_made(wire)
    made = Tunnel(browser, connection, Deadlines(1.0), idle)
    connection.pass_to(made)
    return made, browser, wire, connection


FRAMES = st.lists(st.integers(0, 400).map(lambda size: frame(2, b"p" * size)), min_size=1, max_size=5)


@given(FRAMES, st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["client", "upstream"]))
@settings(max_examples=120, deadline=None)
def test_r22_after_the_end_only_the_frame_under_way_passes(frames, before, after, to):
    """Wherever the session ends, each side gets whole frames and then the Close, in that order."""
    data = b"".join(frames)
    cut = before % (len(data) + 1)
    second = cut + after % (len(data) - cut + 1)

    async def main():
        made, browser, wire, connection = tunnel()
        come = connection.data_received if to == "client" else made.from_client
        come(data[:cut])
        made.end("bye")
        come(data[cut:second])
        come(data[second:])
        made.cut()
        return browser.sent if to == "client" else wire.sent

    sent = asyncio.run(main())

    whole = 0
    for each in frames:
        if whole >= cut:
            break
        whole += len(each)
    assert sent[:whole] == data[:whole]
    mask = None if to == "client" else sent[whole + 2 : whole + 6]
    assert sent[whole:] == close_frame(4401, "bye", mask=mask)


async def test_r22_both_sides_hear_and_are_closed_after_the_grace():
    """Bytes after the Close are swallowed; the connections are closed in order, not broken."""
    made, browser, wire, connection = tunnel()

    made.end("bye")
    made.end("again")
    made.from_client(frame(1, b"late", mask=b"abcd"))
    connection.data_received(frame(1, b"late"))
    await eventually(lambda: browser.how and wire.how)

    assert browser.sent == close_frame(4401, "bye")
    assert (wire.sent[:2], len(wire.sent)) == (b"\x88\x85", 11)
    assert (browser.how, wire.how) == ("close", "close")
    assert made.over


async def test_r22_what_finds_no_boundary_is_cut():
    """A frame under way in both directions."""
    made, browser, wire, connection = tunnel()
    connection.data_received(b"\x82\x05ab")
    made.from_client(b"\x82")

    made.end("bye")
    await eventually(lambda: browser.how and wire.how)

    assert (browser.sent, wire.sent) == (b"\x82\x05ab", b"\x82")
    assert (browser.how, wire.how) == ("abort", "abort")


async def test_r22_sides_that_were_held_back_can_reach_their_boundary():
    """Both were waiting for each other when the session ended; the rest of their frames is let through, and no more."""
    made, browser, wire, connection = tunnel()
    connection.pause_writing()
    made.from_client(b"\x82\x05ab")
    browser.blocked = True
    connection.data_received(b"\x82\x05ab")
    assert not browser.reading
    assert not wire.reading

    made.end("bye")

    assert browser.reading
    assert wire.reading
    made.from_client(b"cde" + frame(1, b"late"))
    connection.data_received(b"cde" + frame(1, b"late"))
    assert browser.sent == b"\x82\x05abcde" + close_frame(4401, "bye")
    assert wire.sent == b"\x82\x05abcde" + close_frame(4401, "bye", mask=wire.sent[9:13])
    made.cut()


async def test_a_gateway_that_stops_says_so():
    """1001 both ways: whoever hears it may come back."""
    made, browser, wire, _ = tunnel()

    made.leave()

    assert browser.sent == close_frame(1001, "the gateway is restarting")
    assert wire.sent == close_frame(1001, "the gateway is restarting", mask=wire.sent[2:6])
    made.cut()


CLOSE = frame(8, b"\x03\xe8")


def both(who):
    """The tunnel; what ``who`` sends, and how it ends; the other one's wire, and what comes from there."""
    made, browser, wire, connection = tunnel()
    client = (made.from_client, made.client_ended, browser)
    upstream = (connection.data_received, connection.eof_received, wire)
    return (made, client, upstream) if who == "client" else (made, upstream, client)


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_a_side_that_ends_behind_its_close_hears_the_answer(who):
    """The other side is told of the end, and what it still sends passes until its own Close has."""
    made, (send, end, mine), (reply, end_too, theirs) = both(who)
    reply(frame(2, b"more") + CLOSE[:3])
    send(CLOSE)

    assert end()

    assert theirs.finished
    reply(CLOSE[3:])
    assert mine.sent == frame(2, b"more") + CLOSE
    assert not end_too()
    assert not mine.finished
    made.cut()
    assert made._timer.cancelled()


@pytest.mark.parametrize("who", ["client", "upstream"])
@pytest.mark.parametrize(
    ("sent", "replied"),
    [(b"", b""), (frame(1, b"hi"), b""), (CLOSE[:3], b""), (CLOSE, CLOSE)],
    ids=["silence", "no close", "half a close", "both closes"],
)
async def test_any_other_end_is_the_end_of_both(who, sent, replied):
    """There is no answer to wait for."""
    made, (send, end, _), (reply, _, theirs) = both(who)
    send(sent)
    reply(replied)

    assert not end()

    assert not theirs.finished
    made.cut()


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_the_answer_has_a_while_to_come(who, monkeypatch):
    """Then both are cut off."""
    monkeypatch.setattr("gateway.proxy.tunnel.LINGER", 0.0)
    made, (send, end, mine), (_, _, theirs) = both(who)
    send(CLOSE)

    assert end()
    await asyncio.wait_for(made.changed(), PATIENCE)

    assert (mine.how, theirs.how) == ("abort", "abort")


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_r22_a_session_that_ends_meanwhile_is_told_to_who_can_still_be_told(who, monkeypatch):
    """The side that ended gets 4401, the one whose connection has been finished nothing; after the grace it is over."""
    monkeypatch.setattr("gateway.proxy.tunnel.LINGER", 0.0)
    made, (send, end, mine), (_, _, theirs) = both(who)
    send(CLOSE)
    assert end()

    made.end("bye")
    assert not end()
    await asyncio.wait_for(made.changed(), PATIENCE)

    mask = mine.sent[2:6] if who == "upstream" else None
    assert mine.sent == close_frame(4401, "bye", mask=mask)
    assert theirs.sent == CLOSE
    assert (mine.how, theirs.how) == ("close", "close")


async def test_back_pressure_is_passed_on_in_both_directions():
    """Each side stops reading while the other takes nothing, independently."""
    made, browser, wire, connection = tunnel()
    connection.pause_writing()
    made.from_client(b"\x82\x00")
    assert not browser.reading
    browser.blocked = True
    connection.data_received(b"\x82\x00")
    assert (made.client_blocked, wire.reading) == (True, False)

    connection.resume_writing()
    assert browser.reading
    made.client_unblocked()
    assert wire.reading
    made.cut()


async def test_ends():
    """A lost client closes the upstream in order; an upstream that breaks breaks the client, unless its Close had come."""
    made, _, wire, _ = tunnel()
    made.client_lost()
    assert (wire.how, made.over) == ("close", True)

    for before, error, how in (
        (b"", None, "close"),
        (b"\x82\x05ab", None, "close"),
        (b"\x82\x05ab", ConnectionResetError(), "abort"),
        (frame(8, b"\x03\xe8"), ConnectionResetError(), "close"),
    ):
        made, browser, _, connection = tunnel()
        connection.data_received(before)
        waiting = asyncio.ensure_future(made.changed())
        await asyncio.sleep(0)
        connection.connection_lost(error)
        await asyncio.wait_for(waiting, PATIENCE)
        assert (browser.how, made.over) == (how, True)
        made.from_client(b"late")
        made.client_lost()


@pytest.mark.parametrize("speaks", ["client", "upstream", "nobody"])
async def test_a_tunnel_in_which_nobody_speaks_is_closed_after_its_limit(hand, speaks):
    """`timeouts.stream`: a frame of either side begins it anew, and both hear that the tunnel ends."""
    made, browser, _, connection = tunnel(idle=60.0)
    hand.goes(50)
    if speaks == "client":
        made.from_client(frame(1, b"hi"))
    elif speaks == "upstream":
        connection.data_received(frame(1, b"hi"))
    hand.goes(20)
    if speaks != "nobody":
        assert not made.over
        assert b"idle" not in browser.sent
        hand.goes(50)
    assert browser.sent.endswith(close_frame(1001, "idle"))
    made.cut()


async def test_a_tunnel_without_a_limit_is_never_looked_at(hand):
    """The default: it lasts until its session ends."""
    made, browser, _, _ = tunnel()
    hand.goes(1_000_000)
    assert (made.over, browser.sent) == (False, b"")
