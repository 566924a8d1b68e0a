"""The response parser's contract, whatever the bytes and however they arrive (rule R36)."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.http.routes import Route
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.exchange import Exchange
from tests.fakes.upstream import reply


class Client:
    """A downstream that keeps what it is given."""

    def __init__(self, *, head_only=False, http10=False, websocket=False):
        self.head_only, self.http10, self.websocket = head_only, http10, websocket
        self.keep_alive, self.document, self.set_cookies, self.way = True, False, (), None
        self.gone = self.blocked = self.aborted = False
        self.unsent = 0
        self.sent = b""

    def write(self, data):
        self.sent += data

    def stream_begins(self, exchange):
        return True

    def abort(self):
        self.aborted = True


class Transport:
    """A transport that goes nowhere."""

    def __init__(self):
        self.closed = self.paused = False

    def write(self, data):
        pass

    def is_closing(self):
        return self.closed

    def abort(self):
        self.closed = True

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


class Owner:
    """A pool of one."""

    free = False

    def released(self, connection):
        self.free = True

    def gone(self, connection):
        self.free = False


def run(pieces, *, end=None, **options):
    """Feed the pieces to a fresh exchange; the client, the exchange, and whether the connection may be used again."""

    async def main():
        client: Any = Client(**options)
        transport: Any = Transport()
        deadlines, owner = Deadlines(1.0), Owner()
        connection = UpstreamConnection(owner)
        connection.transport = transport
        exchange = Exchange(client, deadlines, Route("/", "", first_byte=9, idle=9))
        exchange.begin(connection, b"GET / HTTP/1.1\r\n\r\n")
        for piece in pieces:
            if piece and not transport.closed:
                connection.data_received(piece)
        if end is not None and not transport.closed:
            connection.connection_lost(None if end == "eof" else ConnectionResetError())
        assert len(deadlines) == (0 if exchange.over or exchange.switched else 1)
        deadlines.close()
        return client, exchange, owner.free

    return asyncio.run(main())


def message(exchange, client):
    """All bytes that reach the client."""
    return exchange.complete_response if exchange.complete_response is not None else client.sent


def body_of(raw: bytes) -> tuple[bytes, bytes]:
    """Body and trailers of a raw response."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest, b""
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            return body, rest
        length = int(size, 16)
        body, rest = body + rest[:length], rest[length + 2 :]


def split(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def chunked(*chunks, trailers=b""):
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n" + trailers + b"\r\n"


RESPONSES = {
    "length": (reply(b"hello world" * 20), b"hello world" * 20),
    "empty": (reply(b""), b""),
    "chunked": (chunked(b"hello ", b"world" * 40, trailers=b"X-T: 1\r\n"), b"hello " + b"world" * 40),
    "interim": (b"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 100 C\r\n\r\n" + reply(b"x"), b"x"),
    "no body": (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", RESPONSES)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=20))
@settings(max_examples=40, deadline=None)
def test_r36_framing_does_not_depend_on_how_bytes_arrive(name, cuts):
    """Any split gives the same body, a complete message, and a connection that can be used again."""
    raw, expected = RESPONSES[name]

    client, exchange, reusable = run(split(raw, cuts))

    assert (exchange.complete, exchange.over, exchange.error, reusable) == (True, True, None, True)
    final = message(exchange, client).partition(b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n")[2] or message(
        exchange, client
    )
    assert body_of(final)[0] == expected


@pytest.mark.parametrize("name", RESPONSES)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=8), surplus=st.binary(min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_r36_surplus_bytes_change_nothing_but_the_connections_fate(name, cuts, surplus):
    """Whatever follows a response, its body is its own, and the connection serves nobody else once a byte is amiss."""
    raw, expected = RESPONSES[name]
    surplus = (
        surplus.lstrip(b"\r\n") or b"x"
    )  # llhttp ignores empty lines between messages, as RFC 9112 §2.2 asks

    client, exchange, reusable = run(split(raw + surplus, cuts))

    assert exchange.complete
    assert exchange.error is None
    assert not reusable
    final = message(exchange, client).partition(b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n")[2] or message(
        exchange, client
    )
    assert body_of(final)[0] == expected


@pytest.mark.parametrize("name", ["length", "chunked"])
@given(cut=st.integers(0, 10**6), end=st.sampled_from(["eof", "reset"]))
@settings(max_examples=40, deadline=None)
def test_a_truncated_response_is_never_complete(name, cut, end):
    """Wherever it is cut: an error before the head is sent, an abort after."""
    raw, _ = RESPONSES[name]

    client, exchange, reusable = run([raw[: cut % len(raw)]], end=end)

    assert exchange.over
    assert not exchange.complete
    assert not reusable
    assert exchange.complete_response is None
    assert exchange.error is not None
    assert client.aborted == exchange.started


@given(st.lists(st.binary(max_size=60), max_size=6), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_garbage_raises_nothing(pieces, head_only, http10):
    """Arbitrary bytes give an error or wait for more; nothing escapes the protocol."""
    _, exchange, reusable = run(
        [b"HTTP/1.1 200 OK\r\n", *pieces], end="reset", head_only=head_only, http10=http10
    )

    assert exchange.over
    assert exchange.error is not None or exchange.complete or reusable


@given(st.lists(st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 S\r\n", b"Content-Length: 3\r\n", b"\r\n", b"abc",
                                 b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"Upgrade: websocket\r\n",
                                 b"Connection: upgrade\r\n", b"HTTP/1.1 103 E\r\n", b"HTTP/1.1 304 N\r\n", b"X: y\r\n"]),
                max_size=14))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_grammar_soup_never_smuggles(parts):
    """What is said to be complete is exactly one message by its own framing, with nothing behind it."""
    client, exchange, _ = run(parts, end="reset")

    raw = message(exchange, client)
    while raw.startswith(b"HTTP/1.1 103"):
        raw = raw.partition(b"\r\n\r\n")[2]
    assert exchange.over or exchange.switched
    if not exchange.complete:
        return
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" in head:
        assert body_of(raw)[1] == b"\r\n"
    else:
        length = 0 if b" 304 " in head or b"Content-Length" not in head else 3
        assert len(body) == length


@pytest.mark.parametrize("end", ["eof", "reset"])
def test_r36_a_body_until_the_end_of_the_connection(end):
    """An orderly end completes it; a reset does not."""
    client, exchange, reusable = run([b"HTTP/1.1 200 OK\r\n\r\nab", b"cd"], end=end)

    assert exchange.complete == (end == "eof")
    assert client.aborted == (end == "reset")
    assert not reusable
    if end == "eof":
        assert body_of(client.sent)[0] == b"abcd"


def test_switching_only_when_asked():
    """A 101 hands over what follows it; without a request for it, it is an error."""
    raw = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes"

    _, asked, _ = run([raw], websocket=True)
    _, unasked, _ = run([raw])

    assert asked.switched is not None
    assert asked.switched[1] == b"frames"
    assert unasked.error is not None


PART = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PHASES = {
    "an answer is waited for": (True, lambda exchange: None, 9, "first_byte_timeout"),
    "its head has begun": (True, lambda exchange: exchange.received(PART[:20]), 9, "first_byte_timeout"),
    "the client sends its body": (
        False,
        lambda exchange: exchange.body_progress(waiting_for="client"),
        None,
        "",
    ),
    "the application takes it": (
        False,
        lambda exchange: exchange.body_progress(waiting_for="upstream"),
        5,
        "idle_timeout",
    ),
    "the body has been sent": (False, lambda exchange: exchange.body_sent(), 9, "first_byte_timeout"),
    "the answer comes": (True, lambda exchange: exchange.received(PART), 5, "idle_timeout"),
    "events come": (True, lambda exchange: exchange.received(EVENTS), None, ""),
    "the client takes nothing": (True, lambda exchange: _blocked(exchange, PART), 5, "too_slow"),
    "the client takes no events": (True, lambda exchange: _blocked(exchange, EVENTS), 5, "too_slow"),
    "events come again": (
        True,
        lambda exchange: (_blocked(exchange, EVENTS), exchange.unblocked()),
        None,
        "",
    ),
}


def _blocked(exchange, received):
    exchange.downstream.blocked, exchange.downstream.unsent = True, 100
    exchange.received(received)


STREAMS = [
    EVENTS,
    EVENTS.replace(b"text/event-stream", b"Text/Event-Stream ; charset=utf-8"),
    EVENTS.replace(b"Transfer", b"Content-Encoding: gzip\r\nTransfer"),
    EVENTS.replace(b"text/event-stream", b"multipart/x-mixed-replace; boundary=a"),
    EVENTS.replace(b"Transfer", b"Content-Encoding: identity\r\nTransfer"),
]
"""What lasts by its nature, in any spelling."""


@pytest.mark.parametrize("head", STREAMS)
@pytest.mark.parametrize("stream", [float("inf"), 7.0])
def test_what_lasts_by_its_nature_has_the_limit_of_streams_in_any_spelling(head, stream):
    """Media type in any case, with parameters, in any coding; `timeouts.idle` is for everything else."""
    test_each_phase_has_its_limit_and_its_culprit(
        (True, lambda exchange: exchange.received(head), None if stream > 7 else 7, "idle_timeout"), stream
    )


@pytest.mark.parametrize(
    ("phase", "stream"), [(phase, float("inf")) for phase in PHASES.values()], ids=PHASES
)
def test_each_phase_has_its_limit_and_its_culprit(phase, stream):
    """Seconds from the last thing that moved; a client that takes something is given more."""
    sent, moves, limit, code = phase

    async def main():
        client: Any = Client()
        transport: Any = Transport()
        deadlines = Deadlines(1.0)
        connection = UpstreamConnection(Owner())
        connection.transport = transport
        exchange = Exchange(client, deadlines, Route("/", "", first_byte=9, idle=5, stream=stream))
        exchange.begin(connection, b"POST / HTTP/1.1\r\n\r\n", sent=sent)
        moves(exchange)
        begun = deadlines.now
        deadlines.close()
        exchange.check(begun + (limit or 1_000_000) + 0.9)
        assert not exchange.over
        if limit is None:
            return
        if exchange.reading_paused:
            client.unsent = 50
            exchange.check(begun + limit + 1)
            assert not exchange.over
        exchange.check(begun + limit + 1)
        assert exchange.error is not None
        assert exchange.error.code == code
        assert client.aborted == exchange.started

    asyncio.run(main())
