"""HTTP/2 and its bounds: every call ends with an answer, a status or a reset, and nobody takes more than a share."""

from __future__ import annotations

import asyncio

import pytest
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.web.ext_authz.call import GrpcCall
from gateway.web.ext_authz.connection import CALLS, CallerConnection
from tests.fakes.door import eventually
from tests.fakes.grpc_caller import HEALTH, GrpcCaller, framed
from tests.fakes.hand import Hand
from tests.fakes.patience import PATIENCE
from tests.web.ext_authz.conftest import LONGEST, Answering


async def test_many_calls_at_once_are_answered_each_with_its_own(answering: Answering) -> None:
    """On one connection, whatever order they end in."""
    caller = await answering.caller()
    streams = [caller.begin() for _ in range(50)]
    for stream in reversed(streams):
        caller.send(stream, framed(b"%d" % stream))
    for stream in streams:
        assert (await caller.answer(stream)).message == b"%d" % stream
    assert not next(iter(answering.listener.connections)).calls


async def test_a_long_message_comes_and_goes_in_pieces(answering: Answering) -> None:
    """As large as one may be, and its answer is larger than the caller has room for at first."""
    caller = await answering.caller()
    message = b"x" * LONGEST
    for _ in range(20):  # more than the window of the connection, so it must open again
        assert (await caller.call(message)).message == message


async def test_a_message_that_says_it_is_too_long_is_refused_before_it_comes(answering: Answering) -> None:
    """RESOURCE_EXHAUSTED, and its stream is closed; the connection goes on."""
    caller = await answering.caller()
    stream = caller.begin()
    caller.send(stream, (b"\0" + (LONGEST + 1).to_bytes(4)), ends=False)
    told = await caller.answer(stream)
    assert (told.status, told.data) == ("8", b"")
    assert not answering.calls
    assert answering.books == ["too_large"]
    assert (await caller.call(b"next")).message == b"next"


async def test_a_message_that_is_longer_than_it_says_is_none(answering: Answering) -> None:
    """Nor is one that is shorter, compressed, missing, or two."""
    caller = await answering.caller()
    good = framed(b"abc")
    for data, status in (
        (good + b"d", "3"), (good[:-1], "3"), (b"", "3"), (b"\0\0", "3"), (good + good, "3"), (b"\1" + good[1:], "12"),
    ):  # fmt: skip
        stream = caller.begin()
        caller.send(stream, data)
        told = await caller.answer(stream)
        assert (told.status, told.data) == (status, b""), data
    assert not answering.calls
    assert answering.books == ["malformed_request"] * 6


async def test_what_is_no_grpc_is_told_so(answering: Answering) -> None:
    """415, and no call."""
    caller = await answering.caller()
    for other in ({"content-type": "text/plain"}, {":method": "GET"}):
        stream = caller.begin(**other)
        told = await caller.answer(stream)
        assert told.headers[":status"] == "415"
    assert not answering.calls


async def test_the_number_of_calls_is_told_and_one_too_many_ends_the_connection(answering: Answering) -> None:
    """Whoever goes over a limit that he has acknowledged keeps to no protocol; up to it all wait and are answered."""
    answering.waits = True
    caller = await answering.caller()
    assert caller.h2.remote_settings.max_concurrent_streams == CALLS
    streams = [caller.begin() for _ in range(CALLS)]
    for stream in streams:
        caller.send(stream, framed(b"a"))
    await eventually(lambda: len(answering.calls) == CALLS)
    for call in answering.calls:
        answering.answer(call)
    for stream in streams:
        assert (await caller.answer(stream)).message == b"a"
    caller.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = CALLS + 1
    caller.h2.remote_settings.acknowledge()
    for _ in range(CALLS + 1):
        caller.begin()
    await asyncio.wait_for(caller.ended.wait(), PATIENCE)
    assert len(answering.calls) == CALLS


async def test_a_caller_that_takes_no_answer_holds_nobody_up(answering: Answering, hand: Hand) -> None:
    """What waits for room goes when there is some; a call whose answer is not taken in time is broken off."""
    caller = await answering.caller()
    caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    caller.flush()
    assert await _settings_are_read(caller)
    slow = caller.begin()
    caller.send(slow, framed(b"slow"))
    await eventually(lambda: len(answering.calls) == 1)
    hand.goes(40)
    told = await caller.answer(slow)
    assert told.reset == 8
    assert told.data == b""
    caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
    caller.flush()
    assert (await caller.call(b"next")).message == b"next"


async def _settings_are_read(caller: GrpcCaller) -> bool:
    caller.ready.clear()
    await asyncio.wait_for(caller.ready.wait(), PATIENCE)
    return True


async def test_an_answer_goes_on_when_there_is_room_again(answering: Answering) -> None:
    """Where the window of a call is smaller than its answer."""
    caller = await answering.caller()
    caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    caller.flush()
    assert await _settings_are_read(caller)
    stream = caller.begin()
    caller.send(stream, framed(b"x" * 5_000))
    assert (await caller.answer(stream)).message == b"x" * 5_000


async def test_a_message_that_does_not_go_on_is_not_waited_for(answering: Answering, hand: Hand) -> None:
    """Nor kept; the connection goes on."""
    caller = await answering.caller()
    stream = caller.begin()
    caller.send(stream, framed(b"abcdef")[:7], ends=False)
    await eventually(lambda: any(each.calls for each in answering.listener.connections))
    hand.goes(40)
    assert (await caller.answer(stream)).reset == 8
    assert (await caller.call(b"next")).message == b"next"


async def test_an_idle_connection_is_asked_to_leave_and_closed_if_it_does_not(
    answering: Answering, hand: Hand
) -> None:
    """By the GOAWAY that breaks nothing off: what was begun meanwhile is answered."""
    caller = await answering.caller()
    hand.goes(80)
    await asyncio.wait_for(caller.left.wait(), PATIENCE)
    assert (await caller.call(b"late")).message == b"late"
    hand.goes(10)
    await asyncio.wait_for(caller.ended.wait(), PATIENCE)


async def test_there_is_an_end_to_the_number_of_connections(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is closed; those that are there go on."""
    monkeypatch.setattr("gateway.web.ext_authz.listener.CONNECTIONS", 2)
    callers = [await answering.caller() for _ in range(2)]
    reader, writer = await asyncio.open_connection("127.0.0.1", answering.port)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asyncio.wait_for(reader.readexactly(1), PATIENCE)
    writer.close()
    for caller in callers:
        assert (await caller.call(b"a")).message == b"a"


async def test_a_stop_lets_calls_end_and_refuses_no_late_one(answering: Answering) -> None:
    """The caller is asked to begin nothing more; what is under way is answered, then its connection is closed."""
    answering.waits = True
    caller = await answering.caller()
    stream = caller.begin()
    caller.send(stream, framed(b"under way"))
    await eventually(lambda: len(answering.calls) == 1)
    draining = asyncio.create_task(answering.listener.drain(2 * PATIENCE))
    await asyncio.wait_for(caller.left.wait(), PATIENCE)
    late = caller.begin()
    caller.send(late, framed(b"late"))
    await eventually(lambda: len(answering.calls) == 2)
    for call in answering.calls:
        answering.answer(call)
    assert (await caller.answer(stream)).message == b"under way"
    assert (await caller.answer(late)).message == b"late"
    await asyncio.wait_for(caller.ended.wait(), PATIENCE)
    await draining
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await answering.caller()


async def test_a_stop_that_takes_too_long_ends_what_is_left(answering: Answering) -> None:
    """No call is left without an end, and a late answer harms nobody."""
    answering.waits = True
    caller = await answering.caller()
    stream = caller.begin()
    caller.send(stream, framed(b"for ever"))
    await eventually(lambda: len(answering.calls) == 1)
    await answering.listener.drain(0.0)
    told = await caller.answer(stream)
    assert told.status in {"14", None}
    assert told.data == b""
    answering.answer(answering.calls[0])


async def test_whoever_crashes_answers_internal_and_never_passes(answering: Answering) -> None:
    """And the next call is answered."""

    def crash(call: object) -> None:
        raise RuntimeError("broken")

    answering.listener._ask, working = crash, answering.listener._ask
    caller = await answering.caller()
    told = await caller.call(b"a")
    assert (told.status, told.data) == ("13", b"")
    answering.listener._ask = working
    assert (await caller.call(b"b")).message == b"b"


async def test_a_caller_that_leaves_is_forgotten(answering: Answering) -> None:
    """With GOAWAY or without; its answer goes nowhere."""
    answering.waits = True
    for politely in (True, False):
        caller = await answering.caller()
        caller.send(caller.begin(), framed(b"a"))
        came = len(answering.calls)
        await eventually(lambda came=came: len(answering.calls) > came)
        if politely:
            caller.h2.close_connection()
            caller.flush()
            await asyncio.wait_for(caller.ended.wait(), PATIENCE)
        caller.transport.abort()
        await eventually(lambda: not answering.listener.connections)
        answering.answer(answering.calls[-1])


async def test_who_does_not_read_is_not_read(answering: Answering) -> None:
    """Back-pressure: while more than enough waits to be sent nothing is taken, then again."""
    caller = await answering.caller()
    connection = next(iter(answering.listener.connections))
    connection.pause_writing()
    stream = caller.begin(HEALTH)
    caller.send(stream, framed(b"a"))
    other = await answering.caller()
    assert (await other.call(b"b")).message == b"b"
    assert [call.asked for call in answering.calls] == [b"b"]
    connection.resume_writing()
    assert (await caller.answer(stream)).message == b"a"


class _Owner:
    """A listener without sockets."""

    longest, seconds, keep_alive = LONGEST, 30.0, 75.0

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.clock = self

    def after(self, seconds: float) -> float:
        return seconds

    def admit(self, _: object) -> bool:
        return True

    def ask(self, call: GrpcCall) -> None:
        self.asked.append(call.asked)
        call.reply(b"answer")
        call.settled()

    def warn(self, *_: object, **__: object) -> None:
        """Said."""

    unreadable = left = warn

    def crashed(self, error: Exception) -> None:
        raise error


class _Wire(asyncio.Transport):
    """Its bytes go nowhere."""

    closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sent."""

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def _frames() -> bytes:
    caller = GrpcCaller()
    caller.transport = kept = _Kept()
    caller.h2.initiate_connection()
    for _ in range(3):
        stream = caller.begin()
        caller.send(stream, framed(b"abc"))
    caller.flush()
    return kept.data


class _Kept(_Wire):
    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += bytes(data)


@settings(max_examples=50)
@given(
    st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: PREFACE + rest),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=12)), max_size=4),
    st.integers(1, 100),
)
def test_whatever_bytes_come_nothing_of_ours_breaks(
    noise: bytes, changes: list[tuple[int, bytes]], piece: int
) -> None:
    """Frames with bytes changed in them, in pieces of any size, and noise: a call or the end of the connection."""
    frames = _frames()
    for at, change in changes:
        frames = frames[:at] + change + frames[at + len(change) :]
    for data in (noise, frames):
        owner = _Owner()
        connection = CallerConnection(owner)  # type: ignore[arg-type]  # as much of a listener as it needs
        connection.connection_made(_Wire())
        for at in range(0, len(data), piece):
            if not connection._transport.is_closing():
                connection.data_received(data[at : at + piece])
        assert len(connection.calls) <= CALLS
        if not changes and data is frames:
            assert owner.asked == [b"abc"] * 3
        connection.connection_lost(None)


@pytest.mark.parametrize("earlier", [0, 2])
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Upper": "1"},
        {"x-value": "a\nb"},
        {"connection": "close"},
        {"te": "gzip"},
        {":other": "1"},
        {":path": ""},
    ],
    ids=str,
)
async def test_a_call_that_breaks_the_rules_ends_its_connection(
    answering: Answering, headers: dict[str, str], earlier: int
) -> None:
    """Names and values that HTTP/2 forbids, also after calls that were good; the caller is told, and nothing is asked."""
    caller = await answering.caller()
    for _ in range(earlier):
        assert (await caller.call(b"good")).message == b"good"
    caller.h2.config.validate_outbound_headers = caller.h2.config.normalize_outbound_headers = False
    stream = caller.begin(**headers)
    await asyncio.wait_for(caller.ended.wait(), PATIENCE)
    assert caller.h2.state_machine.state.name == "CLOSED", "it was told"
    assert caller.told[stream].status is None
    assert len(answering.calls) == earlier


async def test_what_stands_behind_a_message_is_held_to_the_rules_too(answering: Answering) -> None:
    """Trailers of a call: gRPC has none, and those that are good are not read."""
    caller = await answering.caller()
    for name, ends in (("x-more", False), ("X-More", True)):
        stream = caller.begin()
        caller.send(stream, framed(b"a"), ends=False)
        caller.h2.config.validate_outbound_headers = caller.h2.config.normalize_outbound_headers = False
        caller.h2.send_headers(stream, [(name, "1")], end_stream=True)
        caller.flush()
        if ends:
            await asyncio.wait_for(caller.ended.wait(), PATIENCE)
            assert caller.told[stream].status is None
        else:
            assert (await caller.answer(stream)).message == b"a"
    assert len(answering.calls) == 1
